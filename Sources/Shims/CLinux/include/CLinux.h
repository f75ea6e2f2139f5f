#ifndef CLINUX_H
#define CLINUX_H

/* Calls that Swift cannot make itself: variadic ones, and ones that Swift's or an older distribution's
 * view of the C library does not declare. Nothing is decided here; every result and errno is handed on. */

int clinux_ioctl(int descriptor, unsigned long request, void *argument);
int clinux_open(const char *path, int flags);
int clinux_fcntl(int descriptor, int command, int argument);
int clinux_memfd_create(const char *name, unsigned int flags);
/* fstatfs; returns f_type, or -1. */
long clinux_file_system(int descriptor);

/* sendmsg and recvmsg of one packet with at most one descriptor (SCM_RIGHTS); -1 stands for none. Returns the
 * packet's bytes. A received descriptor is closed on exec; what is left of a packet longer than `size` is an
 * error, EMSGSIZE. */
long clinux_send_packet(int socket, const void *bytes, unsigned long size, int descriptor);
long clinux_receive_packet(int socket, void *bytes, unsigned long size, int *descriptor);

/* dlinfo(RTLD_DI_LINKMAP): the file behind a handle of dlopen, or null. */
const char *clinux_library_file(void *handle);

/* The kernel transport: dup3, and the name of the calling thread, at most 15 bytes and a zero. */
int clinux_dup3(int from, int to, int flags);
int clinux_set_thread_name(const char *name);
int clinux_thread_name(char name[16]);

#endif
