#ifndef HTP_PROGRAM_H
#define HTP_PROGRAM_H
#endif
