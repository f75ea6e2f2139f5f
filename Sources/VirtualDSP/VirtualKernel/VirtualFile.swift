import SharedMemory

/// What stands behind an open descriptor that the emulated kernel made.
package protocol VirtualFile: AnyObject, Sendable {
    /// Whether it is a dma-buf, for those who ask for the type of its file system.
    var isDMABuffer: Bool { get }
    /// Answers an `ioctl`; blocks where the driver does. Returns what the system call returns, which may be a
    /// DSP status as the driver has it.
    func ioctl(
        _ request: IOControlRequest, _ argument: UInt64, _ caller: any Caller
    ) throws(SystemError) -> Int
    /// The last descriptor was closed, or the machine ends: requests that are still under way end now.
    func release()
}

/// A device node that the emulated kernel answers for.
package protocol VirtualNode: Sendable {
    /// Its path, for example `/dev/fastrpc-cdsp`.
    var path: String { get }
    /// Opens it, with the flags of `open`. Refuses with the driver's `errno`.
    func open(_ flags: CInt, _ caller: any Caller) throws(SystemError) -> any VirtualFile
}

/// What programs see in the file system.
package struct VirtualTree: Hashable, Sendable {
    /// Device nodes by path, with their permissions; a path that is not here does not exist.
    package var nodes: [String: UInt32] = [:]
    /// Ordinary files by path, all below folders that are the emulation's own.
    package var files: [String: [UInt8]] = [:]
    /// Symbolic links by path.
    package var links: [String: String] = [:]

    package init() {}
}
