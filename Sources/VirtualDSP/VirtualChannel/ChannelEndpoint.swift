import CLinux
import Glibc
import RemoteCalls
import SharedMemory

/// One end of the channel between the emulated kernel and a process on the virtual DSP.
///
/// Packets of a local socket (`SOCK_SEQPACKET`): they keep their bounds, may carry a descriptor, and the end of
/// either side is seen by the other. Any thread may send; one receives.
package final class ChannelEndpoint: Sendable {
    /// The socket.
    package let descriptor: CInt

    /// Larger than any message: 540 arguments and what stands before them.
    private static let maximumPacket = 64 << 10
    /// Where packets arrive; the one receiver's own.
    private nonisolated(unsafe) let room = UnsafeMutableRawBufferPointer.allocate(
        byteCount: ChannelEndpoint.maximumPacket, alignment: 8)

    /// Takes over a socket.
    package init(owning descriptor: CInt) {
        self.descriptor = descriptor
    }

    deinit {
        SystemCalls.close(descriptor)
        room.deallocate()
    }

    /// Two connected ends.
    package static func pair() throws(SystemError) -> (ChannelEndpoint, ChannelEndpoint) {
        var ends: [CInt] = [-1, -1]
        let type = CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw SystemError(errno) }
        return (ChannelEndpoint(owning: ends[0]), ChannelEndpoint(owning: ends[1]))
    }

    /// Sends a message; a descriptor stays the caller's.
    ///
    /// - Throws: `EPIPE` when the other end is gone.
    package func send(_ message: ChannelMessage, with file: CInt = -1) throws(SystemError) {
        let bytes = message.bytes
        while true {
            let count = bytes.withUnsafeBytes {
                clinux_send_packet(descriptor, $0.baseAddress, UInt($0.count), file)
            }
            if count >= 0 { return }
            guard errno == EINTR else { throw SystemError(errno) }
        }
    }

    /// Waits for a message. A descriptor that comes with it is the caller's, else it is -1.
    ///
    /// - Returns: nil when the other end is gone.
    /// - Throws: `EBADMSG` for what is no message.
    package func receive() throws(SystemError) -> (message: ChannelMessage, file: CInt)? {
        var file: CInt = -1
        while true {
            let count = clinux_receive_packet(descriptor, room.baseAddress, UInt(room.count), &file)
            if count == 0 { return nil }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == ECONNRESET { return nil }
                throw SystemError(errno)
            }
            do throws(RemoteCallError) {
                return (try ChannelMessage(UnsafeRawBufferPointer(rebasing: room[..<count])), file)
            } catch {
                if file >= 0 { SystemCalls.close(file) }
                throw SystemError(EBADMSG)
            }
        }
    }

    /// Ends the conversation: both sides' ``receive()`` return nil, as does everything later.
    package func shutDown() {
        _ = shutdown(descriptor, CInt(SHUT_RDWR))
    }
}
