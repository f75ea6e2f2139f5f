#include "htp_program.h"
