#define _GNU_SOURCE
#include "CLinux.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
/* For the machine of the virtual DSP. */
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

int clinux_ioctl(int descriptor, unsigned long request, void *argument) {
    return ioctl(descriptor, request, argument);
}

int clinux_open(const char *path, int flags) { return open(path, flags); }

int clinux_fcntl(int descriptor, int command, int argument) {
    return fcntl(descriptor, command, argument);
}

int clinux_memfd_create(const char *name, unsigned int flags) {
    return (int)syscall(SYS_memfd_create, name, flags);
}

long clinux_file_system(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 ? (long)status.f_type : -1;
}

long clinux_send_packet(int socket, const void *bytes, unsigned long size, int descriptor) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

long clinux_receive_packet(int socket, void *bytes, unsigned long size, int *descriptor) {
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *descriptor = -1;
    long count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (count < 0) return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    if (message.msg_flags & MSG_TRUNC) {
        if (*descriptor >= 0) close(*descriptor);
        *descriptor = -1;
        errno = EMSGSIZE;
        return -1;
    }
    return count;
}

const char *clinux_library_file(void *handle) {
    struct link_map *map = 0;
    return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map ? map->l_name : 0;
}

/* The machine of the virtual DSP. */

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

int clinux_get_affinity(void *set, unsigned long size) { return sched_getaffinity(0, size, set); }

int clinux_set_affinity(const void *set, unsigned long size) { return sched_setaffinity(0, size, set); }

int clinux_unshare(int flags) { return unshare(flags); }

int clinux_setns(int descriptor, int flags) { return setns(descriptor, flags); }

int clinux_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const char *options) {
    return mount(source, target, type, flags, options);
}

int clinux_unmount(const char *target, int flags) { return umount2(target, flags); }

int clinux_make_node(const char *path, unsigned int mode) { return mknod(path, mode, makedev(0, 0)); }

int clinux_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int clinux_seccomp(unsigned int operation, unsigned int flags, void *argument) {
    return (int)syscall(SYS_seccomp, operation, flags, argument);
}

int clinux_pidfd_open(int process, unsigned int flags) {
    return (int)syscall(SYS_pidfd_open, process, flags);
}

int clinux_pidfd_getfd(int process, int descriptor) {
    return (int)syscall(SYS_pidfd_getfd, process, descriptor, 0);
}

long clinux_process_read(int process, unsigned long long address, void *bytes, unsigned long size) {
    struct iovec here = {bytes, size}, there = {(void *)(uintptr_t)address, size};
    return process_vm_readv(process, &here, 1, &there, 1, 0);
}

long clinux_process_write(int process, unsigned long long address, const void *bytes, unsigned long size) {
    struct iovec here = {(void *)bytes, size}, there = {(void *)(uintptr_t)address, size};
    return process_vm_writev(process, &here, 1, &there, 1, 0);
}

int clinux_descriptor_limit(int process, const unsigned long *new_limit, unsigned long *old_limit,
                            unsigned long *maximum) {
    struct rlimit old;
    if (prlimit(process, RLIMIT_NOFILE, 0, &old) != 0) return -1;
    if (old_limit) *old_limit = old.rlim_cur;
    if (maximum) *maximum = old.rlim_max;
    if (!new_limit) return 0;
    old.rlim_cur = *new_limit;
    return prlimit(process, RLIMIT_NOFILE, &old, 0);
}

int clinux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int clinux_epoll_add_hangup(int epoll, int descriptor) {
    /* EPOLLHUP is always reported. */
    struct epoll_event event = {.events = 0, .data.fd = descriptor};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int clinux_epoll_remove(int epoll, int descriptor) { return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL); }

int clinux_epoll_wait(int epoll, int *descriptors, int count, int milliseconds) {
    struct epoll_event events[16];
    int found = epoll_wait(epoll, events, count < 16 ? count : 16, milliseconds);
    for (int i = 0; i < found; i++) descriptors[i] = events[i].data.fd;
    return found;
}

unsigned long clinux_fill_statfs(void *room, unsigned long size, long type) {
    struct statfs status = {.f_type = type, .f_bsize = sysconf(_SC_PAGESIZE), .f_namelen = 255};
    status.f_frsize = status.f_bsize;
    if (size >= sizeof status) memcpy(room, &status, sizeof status);
    return sizeof status;
}

/* The kernel transport. */

int clinux_dup3(int from, int to, int flags) { return dup3(from, to, flags); }

int clinux_set_thread_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

int clinux_thread_name(char name[16]) { return prctl(PR_GET_NAME, name, 0, 0, 0); }
