import Glibc
import SharedMemory

/// The thread whose system call is being answered.
package protocol Caller: Sendable {
    /// Its process (`getpid` there).
    var process: pid_t { get }
    /// Itself.
    var thread: pid_t { get }
    /// The process's name, as `/proc/PID/comm` has it.
    var name: String { get }
    /// Whether it still waits: a signal may have ended the call. Nothing may be written to its memory then.
    var isWaiting: Bool { get }

    /// Copies from its memory; `EFAULT` where that is not mapped.
    func read(_ address: UInt64, into bytes: UnsafeMutableRawBufferPointer) throws(SystemError)
    /// Copies into its memory; `EFAULT` where that is not mapped or not writable.
    func write(_ bytes: UnsafeRawBufferPointer, to address: UInt64) throws(SystemError)
    /// A duplicate of one of its descriptors, for the one who asks to close; `EBADF` where it is not open.
    func duplicate(_ descriptor: CInt) throws(SystemError) -> CInt
    /// Gives it a duplicate of a descriptor of ours. Returns its number there.
    func give(_ descriptor: CInt, closeOnExec: Bool) throws(SystemError) -> CInt
}

extension Caller {
    /// Copies a C struct from its memory.
    package func read<Value: BitwiseCopyable>(
        _ address: UInt64, as type: Value.Type
    ) throws(SystemError) -> Value {
        try withUnsafeTemporaryBuffer(MemoryLayout<Value>.size, MemoryLayout<Value>.alignment) {
            (room) throws(SystemError) in
            try read(address, into: room)
            return room.loadUnaligned(as: Value.self)
        }
    }

    /// Copies a C struct into its memory.
    package func write<Value: BitwiseCopyable>(
        _ value: Value, to address: UInt64
    ) throws(SystemError) {
        var failure: SystemError?
        withUnsafeBytes(of: value) { bytes in
            do throws(SystemError) { try write(bytes, to: address) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// `withUnsafeTemporaryAllocation` with a typed error.
private func withUnsafeTemporaryBuffer<Result>(
    _ byteCount: Int, _ alignment: Int,
    _ body: (UnsafeMutableRawBufferPointer) throws(SystemError) -> Result
) throws(SystemError) -> Result {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: alignment)
    defer { room.deallocate() }
    return try body(room)
}
