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

/* sched_getaffinity and sched_setaffinity of the calling thread. The first returns 0 or more, or -1. */
int clinux_get_affinity(void *set, unsigned long size);
int clinux_set_affinity(const void *set, unsigned long size);

/* The machine of the virtual DSP: namespaces, mounts, seccomp, and the memory and descriptors of other
 * processes. */
int clinux_unshare(int flags);
int clinux_setns(int descriptor, int flags);
int clinux_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const char *options);
int clinux_unmount(const char *target, int flags);
/* mknod with device number 0:0. */
int clinux_make_node(const char *path, unsigned int mode);
int clinux_no_new_privileges(void);
int clinux_seccomp(unsigned int operation, unsigned int flags, void *argument);
int clinux_pidfd_open(int process, unsigned int flags);
int clinux_pidfd_getfd(int process, int descriptor);
long clinux_process_read(int process, unsigned long long address, void *bytes, unsigned long size);
long clinux_process_write(int process, unsigned long long address, const void *bytes, unsigned long size);
/* prlimit(RLIMIT_NOFILE) of a process (0: this one): sets the soft limit unless null, tells both as they were. */
int clinux_descriptor_limit(int process, const unsigned long *new_limit, unsigned long *old_limit,
                            unsigned long *maximum);
/* epoll for nothing but EPOLLHUP; wait returns how many descriptors it has put into the array (at most 16). */
int clinux_epoll_create(void);
int clinux_epoll_add_hangup(int epoll, int descriptor);
int clinux_epoll_remove(int epoll, int descriptor);
int clinux_epoll_wait(int epoll, int *descriptors, int count, int milliseconds);
/* Fills a struct statfs with this f_type if there is room; returns its size. */
unsigned long clinux_fill_statfs(void *room, unsigned long size, long type);

/* The kernel transport: dup3, and the name of the calling thread, at most 15 bytes and a zero. */
int clinux_dup3(int from, int to, int flags);
int clinux_set_thread_name(const char *name);
int clinux_thread_name(char name[16]);

#endif
