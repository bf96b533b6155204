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
		.program = {
			.stdin_fd = -1,
			.stack_size = UINT64_C(8) << 20,
			.tmpfs_size = UINT64_C(64) << 20,
			.max_fds = 1024,
			.max_threads = 256,
		},
	};
}
