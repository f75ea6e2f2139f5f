#include "CShell.h"
