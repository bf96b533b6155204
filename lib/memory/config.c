/* What a configuration is when nobody says otherwise. */
#include "nub/config.h"

#include "abi/nub_abi.h"

struct nub_config nub_config_default(void)
{
	return (struct nub_config){
		.heap_size = NUB_DEFAULT_HEAP_SIZE,
		.stack_size = NUB_DEFAULT_STACK_SIZE,
		.input_size = NUB_DEFAULT_RING_SIZE,
		.output_size = NUB_DEFAULT_RING_SIZE,
		.init_data_flags = NUB_REGION_READ,
		.log_level = NUB_LOG_WARN,
	};
}
