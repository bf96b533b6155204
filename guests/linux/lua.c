/* A host for Lua: its libraries and a table of primes are loaded, it says "ready", and then runs the scripts that are its arguments,
 * or the one that is its standard input. Frozen at its checkpoint, each copy runs other scripts. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <nub_checkpoint.h>

enum { SCRIPT_MAX = 1 << 20, MOST_SCRIPTS = 64 };

/* What each script finds done. */
static const char prepare[] = "primes = {}\n"
			      "local composite = {}\n"
			      "for i = 2, 100000 do\n"
			      "    if not composite[i] then\n"
			      "        primes[#primes + 1] = i\n"
			      "        for j = i * i, 100000, i do composite[j] = true end\n"
			      "    end\n"
			      "end\n"
			      "collectgarbage()\n";

/* Standard input to its end. What fits is returned, the size in *size. */
static char *read_script(size_t *size)
{
	char *script = malloc(SCRIPT_MAX);
	ssize_t got;

	*size = 0;
	while (script && *size < SCRIPT_MAX && (got = read(0, script + *size, SCRIPT_MAX - *size)) > 0)
		*size += (size_t)got;
	return script;
}

static int complain(lua_State *lua)
{
	fprintf(stderr, "lua: %s\n", lua_tostring(lua, -1));
	lua_close(lua);
	return 1;
}

static int run(lua_State *lua, const char *script, size_t size, const char *name)
{
	return luaL_loadbuffer(lua, script, size, name) != LUA_OK ? 1 : lua_pcall(lua, 0, 0, 0) != LUA_OK;
}

static int run_input(lua_State *lua)
{
	size_t size;
	char *script = read_script(&size);
	const int failed = script ? run(lua, script, size, "=stdin") : 1;

	free(script);
	return failed;
}

int main(int argc, char **argv)
{
	static char text[SCRIPT_MAX], *scripts[MOST_SCRIPTS + 2];
	lua_State *lua = luaL_newstate();

	if (!lua)
		return 1;
	luaL_openlibs(lua);
	if (luaL_dostring(lua, prepare) != LUA_OK)
		return complain(lua);
	puts("ready");
	fflush(stdout);
	if (NUB_CHECKPOINT_WITH_ARGUMENTS()) {
		argc = nub_split(text, nub_arguments(text, sizeof(text)), scripts, MOST_SCRIPTS + 2);
		argv = scripts;
	}
	for (int i = 1; i < argc; i++)
		if (run(lua, argv[i], strlen(argv[i]), "=argument"))
			return complain(lua);
	if (argc <= 1 && run_input(lua))
		return complain(lua);
	lua_close(lua);
	return 0;
}
