/* What stands before a program on libjq (jq_prelude.h). Called once a runner, by its thread.
 *
 * Records come from far away and there may be billions of them: none may end the process, hold it
 * up or leave memory behind. Some builtins of libjq 1.6 let one do that; a program that names one
 * gets a definition that answers the same and does not.
 */
#include "json/jq_prelude.h"

#define WORDS_MAX 4

static const struct {
    const char *words[WORDS_MAX]; /* one of them in the program is enough */
    const char *definitions;
} preludes[] = {
    /* Searching an array loses the memory of what was searched for; searching a string for the
     * empty one never ends. */
    {{"index", "indices"},
     "def _weir_indices($i): indices($i);"
     "def indices($i): if type == \"array\" and ($i|type) == \"array\""
     " then ($i|length) as $n | [range(0; length) as $k"
     " | select($n > 0 and .[$k:$k + $n] == $i) | $k]"
     " elif type == \"array\" then [range(0; length) as $k | select(.[$k] == $i) | $k]"
     " elif type == \"string\" and $i == \"\" then [] else _weir_indices($i) end;"
     "def index($i): indices($i) | .[0];"
     "def rindex($i): indices($i) | .[-1:][0]; "},
    /* What is no string is returned, and its memory lost. */
    {{"trimstr"},
     "def _weir_ltrimstr($s): ltrimstr($s); def _weir_rtrimstr($s): rtrimstr($s);"
     "def ltrimstr(s): s as $s | if type == \"string\" and ($s|type) == \"string\""
     " then _weir_ltrimstr($s) else . end;"
     "def rtrimstr(s): s as $s | if type == \"string\" and ($s|type) == \"string\""
     " then _weir_rtrimstr($s) else . end; "},
    /* A number beyond all years (a time in nanoseconds is one) or a format that is no string fails
     * an assertion. */
    {{"todate", "strftime", "strflocaltime"},
     "def _weir_utc($f): strftime($f); def _weir_local($f): strflocaltime($f);"
     "def strftime(f): f as $f | if ($f|type) != \"string\""
     " then error(\"strftime/1 requires a string format\")"
     " else (if type == \"number\" then gmtime else . end) | _weir_utc($f) end;"
     "def strflocaltime(f): f as $f | if ($f|type) != \"string\""
     " then error(\"strflocaltime/1 requires a string format\")"
     " else (if type == \"number\" then localtime else . end) | _weir_local($f) end;"
     "def todateiso8601: strftime(\"%Y-%m-%dT%H:%M:%SZ\"); def todate: todateiso8601; "},
    /* The lowest integer by -1 is a trap of the processor. */
    {{"%"},
     "def _weir_mod($a; $b): $a % $b;"
     "def _mod(a; b): b as $b | a as $a | if ($a|type) == \"number\" and ($b|type) == \"number\""
     " and $b > -2 and $b <= -1 then 0 else _weir_mod($a; $b) end; "},
    /* An empty match within a text that is not ASCII is looked on from in the middle of a
     * character, with an invalid access in the end. Of such texts empty matches are left out where
     * all are asked for. What uses match is bound to the old one and has to be said again. */
    {{"match", "scan", "split", "capture"},
     "def _weir_match(re; mode): match(re; mode); def _weir_match($re): match($re);"
     "def match(re; mode): mode as $m | (if ($m|type) == \"string\" and ($m|contains(\"g\"))"
     " and type == \"string\" and utf8bytelength != length then $m + \"n\" else $m end) as $n"
     " | _weir_match(re; $n);"
     "def match($re): if ($re|type) == \"array\" and ($re|length) > 1"
     " then match($re[0]; $re[1]) else _weir_match($re) end;"
     "def scan(re): match(re; \"g\")"
     " | if .captures == [] then .string else [.captures[].string] end;"
     "def _weir_capture($re): capture($re);"
     "def capture(re; mode): match(re; mode) | [.captures[] | select(.name != null)] as $named"
     " | reduce $named[] as $one ({}; .[$one.name] = $one.string);"
     "def capture($re): if ($re|type) == \"array\" and ($re|length) > 1"
     " then capture($re[0]; $re[1]) else _weir_capture($re) end;"
     "def splits($re; mode): . as $s | [match($re; \"g\" + mode) | .offset, .offset + .length]"
     " as $cuts | ([0] + $cuts + [$s|length]) as $at"
     " | range(0; $at|length; 2) as $i | $s[$at[$i]:$at[$i + 1]];"
     "def splits($re): splits($re; null); def split($re; mode): [splits($re; mode)]; "},
};

static bool names_one(const char *program, const char *const words[WORDS_MAX])
{
    for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
        if (strstr(program, words[i]))
            return true;
    return false;
}

bool jq_prelude_add(struct strbuf *out, const char *program)
{
    bool any = false;
    for (size_t i = 0; i < sizeof preludes / sizeof *preludes; i++) {
        if (names_one(program, preludes[i].words)) {
            strbuf_adds(out, preludes[i].definitions);
            any = true;
        }
    }
    return any;
}
