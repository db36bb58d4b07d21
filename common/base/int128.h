/* The one place that names the compiler's 128-bit integer, for exact sums and products of decimals. */
#ifndef MUSTER_BASE_INT128_H
#define MUSTER_BASE_INT128_H

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

#endif
