/// A program in C that uses the nodes of ``MachineTestKernel`` in every way there is. Its first argument names the
/// case; it prints what it found.
let clientProgram = #"""
    #define _GNU_SOURCE
    #include <errno.h>
    #include <fcntl.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/ioctl.h>
    #include <sys/mman.h>
    #include <sys/socket.h>
    #include <sys/stat.h>
    #include <sys/syscall.h>
    #include <sys/time.h>
    #include <sys/vfs.h>
    #include <sys/wait.h>
    #include <time.h>
    #include <unistd.h>

    #define NODE "/dev/virtual-test"
    #define STATUS _IO('R', 1)
    #define BLOCK _IO('R', 2)
    #define INCREMENT _IOWR('R', 3, uint32_t)
    #define BUFFER _IO('R', 4)
    #define FAIL _IO('R', 5)
    #define UNBLOCK _IO('R', 6)
    #define PROCESS _IO('R', 7)
    #define THREAD _IO('R', 8)
    #define RELEASED _IO('R', 9)
    #define BLOCKED _IO('R', 10)
    #define BEGUN _IO('R', 11)
    #define UNTIL_RELEASE _IO('R', 12)
    #define PLUG _IO('R', 13)
    #define UNPLUG _IO('R', 14)

    static void nap(int milliseconds) {
        struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L}, left;
        while (nanosleep(&time, &left)) time = left;
    }
    static int node(int flags) {
        int fd = open(NODE, flags);
        if (fd < 0) { perror("open"); exit(9); }
        return fd;
    }
    static int await(int fd, unsigned long request, int value) {
        for (int i = 0; i < 1000; i++) {
            if (ioctl(fd, request) == value) return 1;
            nap(5);
        }
        return 0;
    }
    static void *block(void *fd) { return (void *)(intptr_t)ioctl((int)(intptr_t)fd, BLOCK); }
    static void *unblock(void *fd) {
        nap(300);
        return (void *)(intptr_t)ioctl((int)(intptr_t)fd, UNBLOCK);
    }
    static void *identify(void *fd) {
        return (void *)(intptr_t)(ioctl((int)(intptr_t)fd, THREAD) == (int)syscall(SYS_gettid) &&
                                  ioctl((int)(intptr_t)fd, PROCESS) == (int)getpid());
    }
    static void on_alarm(int number) { (void)number; }
    static void alarm_soon(int flags) {
        struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
        sigaction(SIGALRM, &action, 0);
        struct itimerval timer = {.it_value = {.tv_usec = 100000}};
        setitimer(ITIMER_REAL, &timer, 0);
    }

    static void calls(void) {
        int fd = node(O_RDWR);
        errno = 0;
        printf("status %d errno %d\n", ioctl(fd, STATUS), errno);
        uint32_t number = 41;
        printf("increment %d", ioctl(fd, INCREMENT, &number));
        printf(" %u\n", number);
        int failed = ioctl(fd, FAIL);
        printf("fail %d errno %d\n", failed, errno == EREMOTEIO);
        failed = ioctl(fd, INCREMENT, 8);
        printf("fault %d errno %d\n", failed, errno == EFAULT);
        void *constant = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        failed = ioctl(fd, INCREMENT, constant);
        printf("constant %d errno %d\n", failed, errno == EFAULT);
        failed = ioctl(fd, _IO('R', 99));
        printf("unknown %d errno %d\n", failed, errno == ENOTTY);
        // No number is known to be free: the tests that started this may have left it one of theirs.
        int closed = dup(fd);
        close(closed);
        failed = ioctl(closed, STATUS);
        printf("closed %d errno %d\n", failed, errno == EBADF);
        int null = open("/dev/null", O_RDWR);
        failed = ioctl(null, STATUS);
        printf("other %d errno %d\n", failed, errno == ENOTTY);
        int buffer = ioctl(fd, BUFFER);
        struct statfs status;
        printf("buffer %d", fstatfs(buffer, &status));
        printf(" %lx", (long)status.f_type);
        char *bytes = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, buffer, 0);
        printf(" %s", bytes);
        printf(" %d\n", fcntl(buffer, F_GETFD));
        failed = fstatfs(buffer, (void *)8);
        printf("statfs %d errno %d\n", failed, errno == EFAULT);
        printf("memory %d", fstatfs((int)syscall(SYS_memfd_create, "x", 0), &status));
        printf(" %lx\n", (long)status.f_type);
    }

    static void paths(void) {
        struct stat status;
        printf("stat %d", stat(NODE, &status));
        printf(" %d %o\n", S_ISCHR(status.st_mode), status.st_mode & 0777);
        printf("access %d\n", access(NODE, R_OK | W_OK));
        int path = open(NODE, O_PATH);
        printf("path %d\n", path >= 0 && (fstat(path, &status), S_ISCHR(status.st_mode)));
        int plain = node(O_RDONLY), flagged = node(O_RDWR | O_CLOEXEC | O_NONBLOCK);
        printf("plain %d %d\n", fcntl(plain, F_GETFD), fcntl(plain, F_GETFL) & O_NONBLOCK);
        printf("flagged %d %d\n", fcntl(flagged, F_GETFD), !!(fcntl(flagged, F_GETFL) & O_NONBLOCK));
        int folder = open("/dev", O_RDONLY | O_DIRECTORY);
        chdir("/dev");
        struct { uint64_t flags, mode, resolve; } how = {O_RDWR, 0, 0};
        int descriptors[] = {
            open("virtual-test", O_RDWR), open("./virtual-test", O_RDWR), openat(folder, "virtual-test", O_RDWR),
            openat(folder, "shm/..//virtual-test", O_RDWR), open("//dev/../dev/./virtual-test", O_RDWR),
            openat(folder, "/dev/virtual-test", O_RDWR), open("/dev/virtual-link", O_RDWR),
            (int)syscall(437, folder, "virtual-test", &how, sizeof how),
    #ifdef SYS_open
            (int)syscall(SYS_open, NODE, O_RDWR),
    #else
            open(NODE, O_RDWR),
    #endif
        };
        for (unsigned i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
            printf("%d ", ioctl(descriptors[i], PROCESS) == (int)getpid());
        printf("\n");
        int failed = open("/tmp/virtual-test", O_RDWR);
        printf("elsewhere %d %d\n", failed, errno == ENOENT);
        failed = open(NODE, O_RDONLY | O_DIRECTORY);
        printf("folder %d %d\n", failed, errno == ENOTDIR);
        failed = open("/dev/virtual-refusing", O_RDWR);
        printf("refusing %d %d\n", failed, errno == EBUSY);
        failed = (int)syscall(SYS_openat, AT_FDCWD, 0, O_RDWR);
        printf("null %d %d\n", failed, errno == EFAULT);
        long page = sysconf(_SC_PAGESIZE);
        char *pages = mmap(0, page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(pages + page, page);
        memcpy(pages + page - 8, "/dev/vir", 8);
        failed = open(pages + page - 8, O_RDWR);
        printf("cut %d %d\n", failed, errno == EFAULT);
        memcpy(pages + page - sizeof NODE, NODE, sizeof NODE);
        printf("last %d\n", open(pages + page - sizeof NODE, O_RDWR) >= 0);
        char *longest = malloc(5000);
        memset(longest, '/', 5000);
        longest[4999] = 0;
        failed = open(longest, O_RDWR);
        printf("long %d %d\n", failed, errno == ENAMETOOLONG);
    }

    static void threads(void) {
        int fd = node(O_RDWR);
        pthread_t threads[8];
        for (int i = 0; i < 8; i++) pthread_create(threads + i, 0, identify, (void *)(intptr_t)fd);
        intptr_t right = 0;
        for (int i = 0; i < 8; i++) {
            void *result;
            pthread_join(threads[i], &result);
            right += (intptr_t)result;
        }
        printf("threads %d\n", (int)right);
    }

    static void processes(void) {
        int fd = node(O_RDWR), watch = node(O_RDWR);
        pid_t child = fork();
        if (!child) _exit(ioctl(fd, PROCESS) == (int)getpid() && ioctl(node(O_RDWR), PROCESS) == (int)getpid());
        int status;
        waitpid(child, &status, 0);
        printf("child %d\n", WEXITSTATUS(status));
        // The child's own node is released by its end, the inherited one is not.
        printf("released %d\n", await(watch, RELEASED, 1));
        int copy = dup(fd);
        close(fd);
        nap(100);
        printf("duplicate %d\n", ioctl(watch, RELEASED));
        close(copy);
        printf("last %d\n", await(watch, RELEASED, 2));
    }

    static void executes(const char *self) {
        int kept = node(O_RDWR);
        node(O_RDWR | O_CLOEXEC);
        char number[16];
        snprintf(number, sizeof number, "%d", kept);
        execl(self, self, "executed", number, (char *)0);
    }
    static void executed(int kept) {
        printf("kept %d\n", ioctl(kept, PROCESS) == (int)getpid());
        printf("closed %d\n", await(kept, RELEASED, 1));
    }

    static void rights(void) {
        int ends[2], watch = node(O_RDWR);
        socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
        char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
        struct iovec part = {&byte, 1};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
        pid_t child = fork();
        if (!child) {
            recvmsg(ends[1], &message, 0);
            int received;
            memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
            nap(200);
            _exit(ioctl(received, PROCESS) == (int)getpid() && ioctl(received, RELEASED) == 0);
        }
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        int sent = node(O_RDWR), status;
        memcpy(CMSG_DATA(header), &sent, sizeof sent);
        sendmsg(ends[0], &message, 0);
        close(sent);
        waitpid(child, &status, 0);
        printf("received %d\n", WEXITSTATUS(status));
        printf("released %d\n", await(watch, RELEASED, 1));
    }

    static void blocked(void) {
        enum { count = 200 };
        static pthread_t threads[count];
        int fd = node(O_RDWR), right = 0;
        for (int i = 0; i < count; i++) pthread_create(threads + i, 0, block, (void *)(intptr_t)fd);
        printf("blocked %d\n", await(fd, BLOCKED, count));
        ioctl(fd, UNBLOCK);
        for (int i = 0; i < count; i++) {
            void *result;
            pthread_join(threads[i], &result);
            right += result == (void *)7;
        }
        printf("returned %d\n", right);
    }

    static void interrupted(int flags) {
        int fd = node(O_RDWR);
        pthread_t thread;
        alarm_soon(flags);
        if (flags) {
            // The alarm is for this thread only.
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGALRM);
            pthread_sigmask(SIG_BLOCK, &set, 0);
            pthread_create(&thread, 0, unblock, (void *)(intptr_t)fd);
            pthread_sigmask(SIG_UNBLOCK, &set, 0);
        }
        errno = 0;
        int result = ioctl(fd, BLOCK);
        printf("result %d interrupted %d\n", result, errno == EINTR);
        printf("begun %d\n", ioctl(fd, BEGUN));
    }

    static void killed(void) {
        int watch = node(O_RDWR);
        pid_t child = fork();
        if (!child) {
            close(watch);
            ioctl(node(O_RDWR), UNTIL_RELEASE);
            _exit(0);
        }
        await(watch, BLOCKED, 1);
        kill(child, SIGKILL);
        waitpid(child, 0, 0);
        printf("released %d\n", await(watch, RELEASED, 1));
        printf("blocked %d\n", await(watch, BLOCKED, 0));
    }

    static int text(const char *path) {
        char bytes[100] = {0};
        int file = open(path, O_RDONLY);
        if (file < 0) return printf("%s: none\n", path);
        read(file, bytes, 99);
        close(file);
        return printf("%s: %s\n", path, bytes);
    }
    static void changes(void) {
        int fd = node(O_RDWR);
        const char *paths[] = {"/sys/class/virtual-test/state", "/dev/virtual-folder/late",
                               "/usr/lib/virtual-test/deep/file"};
        for (int round = 0; round < 3; round++) {
            if (round) ioctl(fd, round == 1 ? PLUG : UNPLUG);
            for (int i = 0; i < 3; i++) text(paths[i]);
            int late = open("/dev/virtual-folder/plugged", O_RDWR);
            printf("plugged %d\n", late >= 0 && ioctl(late, PROCESS) == (int)getpid());
        }
        printf("folder %d\n", access("/dev/virtual-folder", F_OK));
    }

    static void orphan(void) {
        int gate[2];
        pipe(gate);
        if (!fork()) {
            char byte;
            close(gate[1]);
            read(gate[0], &byte, 1);  // The parent is gone.
            nap(100);
            printf("orphan %d\n", ioctl(node(O_RDWR), PROCESS) == (int)getpid());
            fflush(stdout);
            _exit(0);
        }
        exit(3);
    }

    static double seconds(void) {
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return time.tv_sec + time.tv_nsec * 1e-9;
    }
    static void measure(int count) {
        int fd = open(NODE, O_RDWR), null = open("/dev/null", O_RDWR);
        struct statfs status;
        struct stat found;
        uint32_t number = 0;
    #define MEASURE(name, times, call)                                                        \
        do {                                                                                  \
            double start = seconds();                                                         \
            for (int i = 0; i < (times); i++) call;                                           \
            printf("%-28s %8.2f us\n", name, (seconds() - start) / (times) * 1e6);            \
        } while (0)
        MEASURE("getppid", count * 50, syscall(SYS_getppid));
        MEASURE("read", count * 50, read(null, &number, 4));
        MEASURE("stat", count * 50, stat("/dev/null", &found));
        MEASURE("ioctl of other letters", count * 50, ioctl(null, TCGETS, &found));
        MEASURE("open+close of other files", count, close(open("/dev/null", O_RDWR)));
        MEASURE("fstatfs of other files", count, fstatfs(null, &status));
        if (fd < 0) return;
        MEASURE("open+close of a node", count, close(open(NODE, O_RDWR)));
        MEASURE("ioctl of a node", count, ioctl(fd, STATUS));
        MEASURE("ioctl with 4 bytes in and out", count, ioctl(fd, INCREMENT, &number));
    }

    int main(int argc, char **argv) {
        const char *name = argc > 1 ? argv[1] : "";
        setvbuf(stdout, 0, _IONBF, 0);
        if (!strcmp(name, "calls")) calls();
        else if (!strcmp(name, "paths")) paths();
        else if (!strcmp(name, "threads")) threads();
        else if (!strcmp(name, "processes")) processes();
        else if (!strcmp(name, "executes")) executes("/proc/self/exe");
        else if (!strcmp(name, "executed")) executed(atoi(argv[2]));
        else if (!strcmp(name, "rights")) rights();
        else if (!strcmp(name, "blocked")) blocked();
        else if (!strcmp(name, "interrupted")) interrupted(0);
        else if (!strcmp(name, "restarted")) interrupted(SA_RESTART);
        else if (!strcmp(name, "killed")) killed();
        else if (!strcmp(name, "changes")) changes();
        else if (!strcmp(name, "orphan")) orphan();
        else if (!strcmp(name, "measure")) measure(argc > 2 ? atoi(argv[2]) : 20000);
        else return 64;
        return 0;
    }
    """#
