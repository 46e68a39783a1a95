/* Which addresses are public; see address.h. Any thread.
 *
 * The rows are those of the IANA special-purpose address registries (RFC 6890) that are not
 * globally reachable. The judgement is about the address that a connection really has, never about
 * a name: a name may resolve to anything.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

struct network {
    uint8_t prefix[16];
    uint8_t bits;
};

static const struct network special4[] = {
    {{0}, 8},             /* this network, RFC 791 */
    {{10}, 8},            /* private, RFC 1918 */
    {{100, 64}, 10},      /* shared by carriers, RFC 6598 */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local, RFC 3927 */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments */
    {{192, 0, 2}, 24},    /* documentation, RFC 5737 */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks, RFC 2544 */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, and the broadcast address */
};

static const struct network special6[] = {
    {{0}, 127},                     /* :: and ::1 */
    {{1}, 64},                      /* 0100::/64, discard, RFC 6666 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0xfc}, 7},                    /* unique local, RFC 4193 */
    {{0xfe, 0x80}, 10},             /* link-local */
    {{0xfe, 0xc0}, 10},             /* site-local, RFC 3879 */
    {{0xff}, 8},                    /* multicast */
};

static const struct network mapped4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
static const struct network compatible4 = {{0}, 96};
static const struct network nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
static const struct network six_to_four = {{0x20, 0x02}, 16};

static bool within(const uint8_t *address, const struct network *net)
{
    size_t bytes = net->bits / 8, rest = net->bits % 8;
    if (memcmp(address, net->prefix, bytes) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff00 >> rest);
    return rest == 0 || ((address[bytes] ^ net->prefix[bytes]) & mask) == 0;
}

static bool within_any(const uint8_t *address, const struct network *nets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (within(address, &nets[i]))
            return true;
    return false;
}

/* 4, 6 or 0 for the family, with the bytes; an IPv4 address inside an IPv6 one comes out as IPv4.
 */
static int read_address(const char *text, uint8_t out[16])
{
    char plain[INET6_ADDRSTRLEN + 1];
    size_t n = strcspn(text, "%");
    if (n >= sizeof plain)
        return 0;
    memcpy(plain, text, n);
    plain[n] = '\0';
    memset(out, 0, 16);
    if (inet_pton(AF_INET, plain, out) == 1)
        return 4;
    if (inet_pton(AF_INET6, plain, out) != 1)
        return 0;
    bool is_local = within(out, &special6[0]);
    bool at_end =
        within(out, &mapped4) || within(out, &nat64) || (within(out, &compatible4) && !is_local);
    if (at_end)
        memmove(out, out + 12, 4);
    else if (within(out, &six_to_four))
        memmove(out, out + 2, 4);
    else
        return 6;
    return 4;
}

bool address_is_public(const char *address)
{
    uint8_t bytes[16];
    switch (read_address(address, bytes)) {
    case 4:
        return !within_any(bytes, special4, sizeof special4 / sizeof special4[0]);
    case 6:
        return !within_any(bytes, special6, sizeof special6 / sizeof special6[0]);
    default:
        return false;
    }
}

bool address_is_link_local(const char *address)
{
    static const struct network local4 = {{169, 254}, 16}, local6 = {{0xfe, 0x80}, 10};
    uint8_t bytes[16];
    int family = read_address(address, bytes);
    return (family == 4 && within(bytes, &local4)) || (family == 6 && within(bytes, &local6));
}
