import CLinux
import Glibc
import SharedMemory

/// The process that makes the namespaces and changes what is seen in them, for as long as the supervisor lives.
package enum ViewKeeper {
    /// Serves the supervisor at the other end of `socket`. The process must have one thread.
    package static func run(_ socket: CInt) {
        do throws(SystemError) {
            guard let view = try makeView(socket) else { return }
            defer { endPrograms() }
            try serve(socket, view)
        } catch {
            // The supervisor is gone, which is the usual end.
        }
    }

    /// Ends what is left in the namespace when the supervisor is gone, perhaps killed: no system call that is
    /// looked at would get an answer any more.
    private static func endPrograms() {
        guard let ours = ProcessFiles.link("/proc/self/ns/mnt") else { return }
        // Again, for what was started meanwhile.
        for _ in 0..<100 {
            let others = SystemCalls.fileNames(in: "/proc").compactMap { pid_t($0) }.filter {
                $0 != getpid() && ProcessFiles.link("/proc/\($0)/ns/mnt") == ours
            }
            if others.isEmpty { return }
            for process in others { kill(process, SIGKILL) }
            usleep(10_000)
        }
    }

    /// How the answers begin that say what namespaces there are.
    enum Answer {
        static let userNamespace = "user namespace"
        static let mountNamespace = "mount namespace"
        static let refused = "refused"
    }

    private static func makeView(_ socket: CInt) throws(SystemError) -> View? {
        let newMounts: CInt = 0x0002_0000  // CLONE_NEWNS
        let newUser: CInt = 0x1000_0000  // CLONE_NEWUSER
        let (user, group) = (geteuid(), getegid())
        func refuse(_ operation: String, _ code: CInt) throws(SystemError) {
            try ViewPacket.send(socket, "\(Answer.refused)\0\(operation)\0\(code)")
        }

        var hasUserNamespace = false
        if clinux_unshare(newMounts) != 0 {
            guard clinux_unshare(newUser | newMounts) == 0 else {
                try refuse("make a user namespace", errno)
                return nil
            }
            hasUserNamespace = true
            for (file, text) in [
                ("setgroups", "deny"), ("uid_map", "\(user) \(user) 1"), ("gid_map", "\(group) \(group) 1"),
            ] {
                guard write(text, to: "/proc/self/\(file)") else {
                    try refuse("write /proc/self/\(file)", errno)
                    return nil
                }
            }
        }
        do throws(View.Failure) {
            let view = try View()
            try ViewPacket.sendQuietly(
                socket, hasUserNamespace ? Answer.userNamespace : Answer.mountNamespace)
            return view
        } catch {
            try refuse("\(error.operation) at \(error.path)", error.code)
            return nil
        }
    }

    private static func serve(_ socket: CInt, _ view: View) throws(SystemError) {
        var view = view
        umask(0o022)
        while let (request, file) = try ViewRequest.receive(socket) {
            defer { if file >= 0 { close(file) } }
            do throws(View.Failure) {
                switch request {
                case .node(let path, let mode): try view.makeNode(path, mode: mode)
                case .file(let path): try view.writeFile(path, from: file)
                case .link(let path, let target): try view.makeLink(path, target: target)
                case .removal(let path): try view.remove(path)
                }
                try ViewPacket.sendQuietly(socket, "")
            } catch {
                try ViewPacket.send(
                    socket, "cannot \(error.operation) at \(error.path): \(SystemError(error.code))")
            }
        }
    }

    private static func write(_ text: String, to path: String) -> Bool {
        let file = clinux_open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return Glibc.write(file, text, text.utf8.count) == text.utf8.count
    }
}

extension ViewPacket {
    /// Sends text; that the other side is gone is noticed when the next packet is awaited.
    fileprivate static func sendQuietly(_ socket: CInt, _ text: String) throws(View.Failure) {
        do throws(SystemError) { try send(socket, text) } catch {}
    }
}
