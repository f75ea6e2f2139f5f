import Glibc
import RemoteCalls

/// A file that the DSP has open: where its bytes are, and the state of a C stream.
struct OpenFile {
    enum Content {
        case memory([UInt8])
        case file(Descriptor)
    }

    let content: Content
    /// Where the next byte is read; never negative.
    private(set) var position: Int64 = 0
    private(set) var isAtEnd = false
    private(set) var hasFailed = false

    init(_ content: Content) {
        self.content = content
    }

    /// Bytes in the file.
    var length: Int64 {
        get throws(RemoteCallError) {
            switch content {
            case .memory(let bytes): return Int64(bytes.count)
            case .file(let descriptor):
                var status = stat()
                guard fstat(descriptor.number, &status) == 0 else { throw RemoteCallError(.last, "flen") }
                return Int64(status.st_size)
            }
        }
    }

    /// Fills `room`, or as much of it as there is to read, and returns how much.
    mutating func read(into room: UnsafeMutableRawBufferPointer) throws(RemoteCallError) -> Int {
        var done = 0
        while done < room.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[done...])
            let count = try readOnce(into: rest)
            if count == 0 {
                isAtEnd = true
                break
            }
            done += count
            position += Int64(count)
        }
        return done
    }

    private mutating func readOnce(into room: UnsafeMutableRawBufferPointer) throws(RemoteCallError) -> Int {
        switch content {
        case .memory(let bytes):
            guard position < bytes.count else { return 0 }
            let piece = bytes[Int(position)...].prefix(room.count)
            room.copyBytes(from: piece)
            return piece.count
        case .file(let descriptor):
            // The kernel refuses ranges that end past the largest offset.
            guard position <= Int64.max - Int64(room.count) else { return 0 }
            while true {
                let count = pread(descriptor.number, room.baseAddress, room.count, off_t(position))
                if count >= 0 { return count }
                guard errno == EINTR else {
                    hasFailed = true
                    throw RemoteCallError(.last, "fread")
                }
            }
        }
    }

    /// Reads a line of at most `room.count - 1` bytes, its newline included, and ends it with a zero.
    ///
    /// - Returns: whether there was nothing left to read.
    mutating func readLine(into room: UnsafeMutableRawBufferPointer) throws(RemoteCallError) -> Bool {
        guard room.count > 0 else { throw RemoteCallError(.invalid, "fgets without room") }
        let start = position
        let wasAtEnd = isAtEnd
        let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: room.dropLast()))
        var length = count
        if let newline = room[..<count].firstIndex(of: UInt8(ascii: "\n")) {
            length = newline + 1
            position = start + Int64(length)
            isAtEnd = wasAtEnd
        }
        UnsafeMutableRawBufferPointer(rebasing: room[length...]).initializeMemory(
            as: UInt8.self, repeating: 0)
        return length == 0 && isAtEnd
    }

    /// Moves to `offset` bytes from the start, from here or from the end: `whence` 0, 1 or 2.
    mutating func seek(_ offset: Int64, whence: UInt32) throws(RemoteCallError) {
        let base: Int64
        switch whence {
        case 0: base = 0
        case 1: base = position
        case 2: base = try length
        default: throw RemoteCallError(.invalid, "fseek from \(whence)")
        }
        let (target, overflow) = base.addingReportingOverflow(offset)
        guard !overflow else { throw RemoteCallError(.overflow, "fseek") }
        guard target >= 0 else { throw RemoteCallError(.invalid, "fseek to \(target)") }
        position = target
        isAtEnd = false
    }

    /// `clearerr`
    mutating func clearErrors() {
        isAtEnd = false
        hasFailed = false
    }
}
