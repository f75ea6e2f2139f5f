import CLinux
import Glibc
import SharedMemory

/// What the supervisor asks of the process that holds the view, and the packets that carry it: the words of
/// the request, each but the last ended by a zero byte. The answer is one packet: empty, or what went wrong.
enum ViewRequest {
    /// A node with device number 0:0.
    case node(String, mode: UInt32)
    /// A file; its bytes come as a descriptor.
    case file(String)
    /// A symbolic link.
    case link(String, target: String)
    /// Nothing may be there.
    case removal(String)

    private var words: [String] {
        switch self {
        case .node(let path, let mode): ["node", path, "\(mode)"]
        case .file(let path): ["file", path]
        case .link(let path, let target): ["link", path, target]
        case .removal(let path): ["remove", path]
        }
    }

    private init?(_ words: [String]) {
        switch (words.first, words.count) {
        case ("node", 3): self = .node(words[1], mode: UInt32(words[2]) ?? 0o600)
        case ("file", 2): self = .file(words[1])
        case ("link", 3): self = .link(words[1], target: words[2])
        case ("remove", 2): self = .removal(words[1])
        default: return nil
        }
    }

    /// Sends the request.
    func send(_ socket: CInt, with file: CInt = -1) throws(SystemError) {
        try ViewPacket.send(socket, words.joined(separator: "\0"), with: file)
    }

    /// Waits for a request; nil at the end.
    static func receive(_ socket: CInt) throws(SystemError) -> (request: ViewRequest, file: CInt)? {
        guard let (text, file) = try ViewPacket.receive(socket) else { return nil }
        let words = text.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
        guard let request = ViewRequest(words) else { throw SystemError(EBADMSG) }
        return (request, file)
    }
}

/// Text in packets between the supervisor and its helpers.
enum ViewPacket {
    /// Sends text, and a descriptor unless it is -1. Empty text becomes a single zero byte, as an empty packet
    /// would read like the end.
    static func send(_ socket: CInt, _ text: String, with file: CInt = -1) throws(SystemError) {
        let bytes = text.isEmpty ? [0] : Array(text.utf8)
        while true {
            let count = bytes.withUnsafeBytes {
                clinux_send_packet(socket, $0.baseAddress, UInt($0.count), file)
            }
            if count >= 0 { return }
            guard errno == EINTR else { throw SystemError(errno) }
        }
    }

    /// Waits for text; nil when the other side is gone.
    static func receive(_ socket: CInt) throws(SystemError) -> (text: String, file: CInt)? {
        var room = [UInt8](repeating: 0, count: 16 << 10)
        var file: CInt = -1
        while true {
            let count = clinux_receive_packet(socket, &room, UInt(room.count), &file)
            if count == 0 || count < 0 && errno == ECONNRESET { return nil }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw SystemError(errno) }
            let bytes = room[..<count]
            return (bytes.elementsEqual([0]) ? "" : String(decoding: bytes, as: UTF8.self), file)
        }
    }
}
