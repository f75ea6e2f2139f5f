import Glibc
import SharedMemory

/// A system call that waits for an answer: `struct seccomp_notif`, 80 bytes.
struct Notification: BitwiseCopyable {
    var id: UInt64
    /// The calling thread, as the supervisor's process numbers go.
    var thread: pid_t
    var flags: UInt32
    var number: UInt32
    var architecture: UInt32
    var instruction: UInt64
    var arguments: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
}

/// The supervisor's end of a seccomp filter.
final class NotificationListener: Sendable {
    let descriptor: CInt

    /// Takes over a descriptor.
    init(owning descriptor: CInt) {
        self.descriptor = descriptor
        // Caller and supervisor take turns, so each should wake the other on its own CPU (Linux 6.6).
        let synchronousWakeUp = UnsafeMutableRawPointer(bitPattern: 1)
        _ = try? SystemCalls.ioctl(descriptor, Request.setFlags, synchronousWakeUp)
    }

    deinit { close(descriptor) }

    private enum Request {
        static let receive = IOControlRequest(rawValue: 0xc050_2100)
        static let send = IOControlRequest(rawValue: 0xc018_2101)
        static let isValid = IOControlRequest(rawValue: 0x4008_2102)
        static let addDescriptor = IOControlRequest(rawValue: 0x4018_2103)
        static let setFlags = IOControlRequest(rawValue: 0x4008_2104)
    }

    /// `struct seccomp_notif_resp`
    private struct Response {
        var id: UInt64
        var value: Int64 = 0
        var error: Int32 = 0
        var flags: UInt32 = 0
    }

    /// `struct seccomp_notif_addfd`
    private struct AddDescriptor {
        var id: UInt64
        var flags: UInt32 = 0
        var source: UInt32
        var target: UInt32 = 0
        var targetFlags: UInt32
    }

    /// Waits for a call. Returns nil when nobody is left who could make one.
    func receive() -> Notification? {
        // A newer kernel may write more than is known here.
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 8)
        defer { room.deallocate() }
        while true {
            room.initializeMemory(as: UInt8.self, repeating: 0)
            do throws(SystemError) {
                try SystemCalls.ioctl(descriptor, Request.receive, room.baseAddress, repeating: false)
                return room.load(as: Notification.self)
            } catch {
                // ENOENT: the caller was interrupted before, or all are gone.
                guard error.errno == EINTR || error.errno == ENOENT, !isAbandoned(waiting: 0) else {
                    return nil
                }
            }
        }
    }

    /// Whether nobody is left under the filter; waits for that up to so many milliseconds (-1: for ever).
    func isAbandoned(waiting milliseconds: CInt) -> Bool {
        var state = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&state, 1, milliseconds) > 0 && Int32(state.revents) & Int32(POLLHUP) != 0
    }

    /// Ends a call with a value, or with an `errno` where that is not 0. An answer that comes too late is lost.
    func answer(_ id: UInt64, value: Int64, error: CInt = 0) {
        var response = Response(id: id, value: value, error: -error)
        _ = try? SystemCalls.ioctl(descriptor, Request.send, &response)
    }

    /// Lets the kernel make the call.
    func proceed(_ id: UInt64) {
        var response = Response(id: id, flags: 1)  // SECCOMP_USER_NOTIF_FLAG_CONTINUE
        _ = try? SystemCalls.ioctl(descriptor, Request.send, &response)
    }

    /// Whether the caller still waits.
    func isWaiting(_ id: UInt64) -> Bool {
        var id = id
        return (try? SystemCalls.ioctl(descriptor, Request.isValid, &id)) != nil
    }

    /// Gives the caller a duplicate of a descriptor; with `ending`, its number is what the call returns.
    func give(
        _ id: UInt64, _ descriptor: CInt, closeOnExec: Bool, ending: Bool = false
    ) throws(SystemError) -> CInt {
        var addition = AddDescriptor(
            id: id, flags: ending ? 2 : 0,  // SECCOMP_ADDFD_FLAG_SEND
            source: UInt32(descriptor), targetFlags: closeOnExec ? UInt32(O_CLOEXEC) : 0)
        do throws(SystemError) {
            return try SystemCalls.ioctl(self.descriptor, Request.addDescriptor, &addition)
        } catch {
            guard error.errno == EINVAL, ending else { throw error }
            // Before Linux 5.14 that takes two calls.
            addition.flags = 0
            let number = try SystemCalls.ioctl(self.descriptor, Request.addDescriptor, &addition)
            answer(id, value: Int64(number))
            return number
        }
    }
}
