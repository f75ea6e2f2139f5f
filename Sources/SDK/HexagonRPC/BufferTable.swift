import RemoteCalls
import Synchronization

/// The shared buffers of a session by their address: which arguments of a call lie in one and travel by its
/// descriptor instead of a copy.
final class BufferTable: Sendable {
    private struct Entry {
        let start: UInt
        let end: UInt
        let descriptor: CInt
        /// A buffer may be in the table as allocated and as mapped.
        var uses = 1
    }

    /// Sorted; the ranges do not overlap, being mappings of one address space.
    private let entries = Mutex<[Entry]>([])

    /// Enters a buffer. One that overlaps another is left out and its bytes are copied: a mapping that its owner
    /// has replaced.
    func add(_ address: UnsafeRawPointer, _ byteCount: Int, _ descriptor: CInt) {
        // The driver takes descriptor 0 for none.
        guard byteCount > 0, descriptor > 0 else { return }
        let start = UInt(bitPattern: address)
        let end = start + UInt(byteCount)
        entries.withLock { entries in
            let place = Self.place(start, entries)
            if place < entries.count, entries[place].start == start, entries[place].end == end,
                entries[place].descriptor == descriptor
            {
                entries[place].uses += 1
                return
            }
            guard place == entries.count || entries[place].start >= end,
                place == 0 || entries[place - 1].end <= start
            else { return }
            entries.insert(Entry(start: start, end: end, descriptor: descriptor), at: place)
        }
    }

    /// Undoes one ``add(_:_:_:)``.
    func remove(_ address: UnsafeRawPointer, _ descriptor: CInt) {
        let start = UInt(bitPattern: address)
        entries.withLock { entries in
            let place = Self.place(start, entries)
            guard place < entries.count, entries[place].start == start,
                entries[place].descriptor == descriptor
            else { return }
            entries[place].uses -= 1
            if entries[place].uses == 0 { entries.remove(at: place) }
        }
    }

    /// Where the host sees the buffer behind a descriptor, or 0.
    func address(of descriptor: CInt) -> UInt64 {
        entries.withLock { entries in
            entries.first { $0.descriptor == descriptor }.map { UInt64($0.start) } ?? 0
        }
    }

    /// The size of the buffer behind a descriptor.
    func byteCount(of descriptor: CInt) -> Int? {
        entries.withLock { entries in
            entries.first { $0.descriptor == descriptor }.map { Int($0.end - $0.start) }
        }
    }

    /// Sets the descriptors of arguments, which have address and length.
    ///
    /// - Returns: the index of an argument that lies in a buffer only partly, or nil.
    func resolve(_ arguments: UnsafeMutableBufferPointer<InvokeArgument>) -> Int? {
        entries.withLock { entries in
            guard !entries.isEmpty else { return nil }
            for index in arguments.indices {
                let argument = arguments[index]
                guard argument.length > 0 else { continue }
                let start = UInt(argument.address)
                let (end, overflow) = start.addingReportingOverflow(UInt(argument.length))
                guard !overflow else { return index }
                // The first buffer that begins after the argument does, and the one before it.
                let next = Self.place(start + 1, entries)
                if next > 0, start < entries[next - 1].end {
                    guard end <= entries[next - 1].end else { return index }
                    arguments[index].fd = entries[next - 1].descriptor
                } else if next < entries.count, end > entries[next].start {
                    return index
                }
            }
            return nil
        }
    }

    /// The first entry that begins at `start` or later.
    private static func place(_ start: UInt, _ entries: [Entry]) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].start < start { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
