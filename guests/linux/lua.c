/* A host for Lua: its libraries and a table of primes are loaded, it says "ready", and then runs the script that is its standard
 * input. Frozen at "ready", each copy runs another script. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { SCRIPT_MAX = 1 << 20 };

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

int main(void)
{
	lua_State *lua = luaL_newstate();
	size_t size;
	char *script;

	if (!lua)
		return 1;
	luaL_openlibs(lua);
	if (luaL_dostring(lua, prepare) != LUA_OK)
		return complain(lua);
	puts("ready");
	fflush(stdout);
	script = read_script(&size);
	if (!script || luaL_loadbuffer(lua, script, size, "=stdin") != LUA_OK || lua_pcall(lua, 0, 0, 0) != LUA_OK)
		return complain(lua);
	free(script);
	lua_close(lua);
	return 0;
}
