/* Addresses that a server connected to may have: which of them are of the open Internet. Pure, any
 * thread.
 */
#ifndef WEIR_NET_ADDRESS_H
#define WEIR_NET_ADDRESS_H

#include <stdbool.h>

/* `address` is numeric, IPv4 or IPv6, without brackets; a zone ("%eth0") may follow. IPv4 addresses
 * inside IPv6 ones (mapped, NAT64, 6to4) are judged as IPv4. */

/* Reachable from anywhere: not loopback, private, shared, link-local, multicast or reserved. What
 * is no address is not public. */
bool address_is_public(const char *address);

/* 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291 section 2.5.6). */
bool address_is_link_local(const char *address);

#endif
