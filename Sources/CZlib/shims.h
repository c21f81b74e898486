// zlib(3), for the contents that a baseline keeps.
#ifndef MILLWARDEN_CZLIB_H
#define MILLWARDEN_CZLIB_H

#include <zlib.h>

#endif
