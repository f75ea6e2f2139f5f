#ifndef REMOTE_H
#define REMOTE_H
#include <stdint.h>
#endif
