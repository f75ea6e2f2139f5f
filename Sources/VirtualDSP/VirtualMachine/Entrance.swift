import CLinux
import Glibc
import SharedMemory

/// The way of a process into the namespaces and under the filter, and on to a program.
package enum Entrance {
    /// Becomes the program; returns the exit code where that fails.
    ///
    /// - Parameters:
    ///   - socket: gets the filter's listener, and tells when to go on.
    ///   - keeper: the process whose namespaces are entered. This one must have one thread.
    ///   - joinsUser: whether there is a user namespace to enter.
    package static func run(
        _ socket: CInt, keeper: pid_t, joinsUser: Bool, _ command: [String]
    ) -> CInt {
        func fail(_ operation: String, _ code: CInt) -> CInt {
            try? ViewPacket.send(socket, "cannot \(operation): \(SystemError(code))")
            return 69
        }
        _ = clinux_fcntl(socket, F_SETFD, FD_CLOEXEC)
        do throws(Step) {
            try join(keeper, joinsUser: joinsUser)
        } catch {
            return fail(error.operation, error.code)
        }
        // Without privilege a filter needs the promise that no set-user-id program gains any. Root need not
        // promise, so that su works.
        if joinsUser, clinux_no_new_privileges() != 0 { return fail("give up new privileges", errno) }
        do throws(SystemError) {
            let listener: CInt
            do throws(SystemError) {
                listener = try SystemCallFilter.install()
            } catch {
                return error.errno == EBUSY
                    ? fail("run virtual-dsp inside virtual-dsp or another seccomp supervisor", EBUSY)
                    : fail("install a seccomp filter", error.errno)
            }
            try ViewPacket.send(socket, "listener", with: listener)
            close(listener)
            guard try ViewPacket.receive(socket) != nil else { return 69 }
        } catch {
            return 69  // The supervisor is gone.
        }
        let program = command.first ?? ""
        let code = Child.withCStrings(command) { arguments in
            execvp(program, arguments)
            return errno
        }
        Child.printError("virtual-dsp: cannot run \(program): \(SystemError(code))")
        return code == ENOENT ? 127 : 126
    }

    private struct Step: Error {
        var operation: String
        var code: CInt
    }

    private static func join(_ keeper: pid_t, joinsUser: Bool) throws(Step) {
        let newMounts: CInt = 0x0002_0000  // CLONE_NEWNS
        let newUser: CInt = 0x1000_0000  // CLONE_NEWUSER
        let folder = ProcessFiles.link("/proc/self/cwd") ?? "/"
        let process = clinux_pidfd_open(keeper, 0)
        guard process >= 0 else { throw Step(operation: "find the keeper of the view", code: errno) }
        defer { close(process) }
        // The keeper has our root folder, setns would give us the namespace's.
        let root = clinux_open("/proc/\(keeper)/root", O_PATH | O_DIRECTORY | O_CLOEXEC)
        guard root >= 0 else { throw Step(operation: "open the root folder", code: errno) }
        defer { close(root) }
        let workingFolder = clinux_open("/proc/\(keeper)/cwd", O_PATH | O_DIRECTORY | O_CLOEXEC)
        defer { if workingFolder >= 0 { close(workingFolder) } }
        guard clinux_setns(process, joinsUser ? newUser | newMounts : newMounts) == 0 else {
            throw Step(operation: "enter the namespaces", code: errno)
        }
        guard fchdir(root) == 0, chroot(".") == 0 else {
            throw Step(operation: "enter the root folder", code: errno)
        }
        // By its path, so that an emulated folder is what is seen there; else the folder itself.
        guard chdir(folder) == 0 || workingFolder >= 0 && fchdir(workingFolder) == 0 else {
            throw Step(operation: "enter the working folder \(folder)", code: errno)
        }
    }
}
