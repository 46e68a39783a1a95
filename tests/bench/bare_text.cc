/* The limits under the rows of texts: one part of the work alone, on one thread, over a file that
 * is in memory. Read in pieces of 1 MiB; what comes out is counted and dropped.
 *
 *   bare_text match REGEX FILE     Hyperscan over whole lines, as many bytes as are there at a time
 *   bare_text literal TEXT FILE    the same for a literal
 *   bare_text gunzip FILE          igzip, every member
 *   bare_text unzstd FILE          zstd, every frame
 *   bare_text json VALUE FILE      simdjson: the records whose "level" is VALUE
 *
 * It prints one number: matches, bytes or records.
 */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <hs.h>
#include <isa-l/igzip_lib.h>
#include <simdjson.h>
#include <string>
#include <unistd.h>
#include <vector>
#include <zstd.h>

static const size_t PIECE = 1 << 20;

[[noreturn]] static void die(const char *what)
{
    fprintf(stderr, "bare_text: %s\n", what);
    exit(1);
}

using Take = std::function<void(const char *data, size_t size)>;

static void read_pieces(const char *path, const Take &take)
{
    std::vector<char> piece(PIECE);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : 0;
    while (fd >= 0 && (n = read(fd, piece.data(), PIECE)) > 0)
        take(piece.data(), size_t(n));
    if (n < 0)
        die(path);
    close(fd);
}

/* Whole lines only: what is behind the last one waits for the next piece. A line is short here. */
static void read_lines(const char *path, const Take &take)
{
    std::vector<char> lines(2 * PIECE + simdjson::SIMDJSON_PADDING);
    size_t held = 0;
    read_pieces(path, [&](const char *data, size_t size) {
        memcpy(&lines[held], data, size);
        held += size;
        const void *last = memrchr(lines.data(), '\n', held);
        size_t whole = last ? size_t(static_cast<const char *>(last) - lines.data()) + 1 : 0;
        take(lines.data(), whole);
        memmove(lines.data(), &lines[whole], held -= whole);
        if (held > PIECE)
            die("a line is too long");
    });
    take(lines.data(), held);
}

static int count_match(unsigned, unsigned long long, unsigned long long, unsigned, void *count)
{
    ++*static_cast<long long *>(count);
    return 0;
}

static long long match(const char *pattern, const char *path, bool literal)
{
    hs_database_t *database;
    hs_compile_error_t *error;
    hs_scratch_t *scratch = nullptr;
    long long found = 0;
    int bad =
        literal
            ? hs_compile_lit(pattern, 0, strlen(pattern), HS_MODE_BLOCK, nullptr, &database, &error)
            : hs_compile(pattern, HS_FLAG_MULTILINE, HS_MODE_BLOCK, nullptr, &database, &error);
    if (bad || hs_alloc_scratch(database, &scratch))
        die("the pattern does not compile");
    read_lines(path, [&](const char *data, size_t size) {
        if (size && hs_scan(database, data, unsigned(size), 0, scratch, count_match, &found))
            die("hs_scan");
    });
    return found;
}

static long long gunzip(const char *path)
{
    std::vector<uint8_t> out(PIECE);
    inflate_state state;
    long long bytes = 0;
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
    read_pieces(path, [&](const char *data, size_t size) {
        state.next_in = reinterpret_cast<uint8_t *>(const_cast<char *>(data));
        state.avail_in = uint32_t(size);
        do {
            if (state.block_state == ISAL_BLOCK_FINISH) {
                isal_inflate_reset(&state);
                state.crc_flag = ISAL_GZIP;
            }
            state.next_out = out.data();
            state.avail_out = PIECE;
            if (isal_inflate(&state) != ISAL_DECOMP_OK)
                die("no gzip");
            bytes += PIECE - state.avail_out;
        } while (state.avail_in || state.avail_out == 0);
    });
    return bytes;
}

static long long unzstd(const char *path)
{
    std::vector<char> out(PIECE);
    ZSTD_DCtx *context = ZSTD_createDCtx();
    long long bytes = 0;
    read_pieces(path, [&](const char *data, size_t size) {
        ZSTD_inBuffer in = {data, size, 0};
        ZSTD_outBuffer to;
        do {
            to = {out.data(), PIECE, 0};
            if (ZSTD_isError(ZSTD_decompressStream(context, &to, &in)))
                die("no zstd");
            bytes += (long long)to.pos;
        } while (in.pos < in.size || to.pos == PIECE);
    });
    ZSTD_freeDCtx(context);
    return bytes;
}

static long long json(const char *level, const char *path)
{
    simdjson::ondemand::parser parser;
    long long records = 0;
    std::string_view wanted = level, value;
    read_lines(path, [&](const char *data, size_t size) {
        for (const char *at = data, *end = data + size; at < end;) {
            const char *line_end = std::find(at, end, '\n');
            size_t n = size_t(line_end - at);
            simdjson::ondemand::document document;
            size_t room = size_t(end - at) + simdjson::SIMDJSON_PADDING;
            if (n && !parser.iterate(at, n, room).get(document) &&
                !document["level"].get_string().get(value))
                records += value == wanted;
            at = line_end + 1;
        }
    });
    return records;
}

int main(int argc, char **argv)
{
    std::string what = argc > 1 ? argv[1] : "";
    long long n;
    if (argc == 4 && (what == "match" || what == "literal"))
        n = match(argv[2], argv[3], what == "literal");
    else if (argc == 4 && what == "json")
        n = json(argv[2], argv[3]);
    else if (argc == 3 && what == "gunzip")
        n = gunzip(argv[2]);
    else if (argc == 3 && what == "unzstd")
        n = unzstd(argv[2]);
    else
        die("match REGEX | literal TEXT | gunzip | unzstd | json VALUE, then a file");
    printf("%lld\n", n);
    return 0;
}
