#ifndef CSHELL_H
#define CSHELL_H

/* What a program on the DSP finds in the firmware and Swift cannot define: functions with variable arguments. */

#endif
