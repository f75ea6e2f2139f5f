import Glibc
import Synchronization

/// An open DRM device: the space in which GEM handles are numbers.
///
/// ```swift
/// let gpu = try DRMRenderNode(path: "/dev/dri/renderD128")
/// let handle = try gpu.handle(for: buffer)
/// // … the GPU works on handle.rawValue …
/// handle.close()
/// ```
public final class DRMRenderNode: Sendable {
    /// The node's path, or what its owner calls it.
    public let path: String
    /// The open device.
    public let descriptor: CInt

    private let closesDescriptor: Bool
    /// A buffer that is imported twice has one handle, and one `GEM_CLOSE` ends it: so handles are counted.
    private let owners = Mutex<[UInt32: Int]>([:])

    /// Opens a render node, for example `/dev/dri/renderD128`.
    public init(path: String) throws(SharedMemoryError) {
        self.path = path
        closesDescriptor = true
        do throws(SystemError) {
            descriptor = try SystemCalls.open(path, O_RDWR)
        } catch {
            throw SharedMemoryError(
                operation: "open \(path)", errno: error.errno, advice: Self.advice(error.errno, path))
        }
    }

    /// Works in a device that somebody else has opened, for example a graphics library. Its owner closes it,
    /// after this object is gone.
    public init(borrowing descriptor: CInt, name: String = "a DRM device") {
        path = name
        self.descriptor = descriptor
        closesDescriptor = false
    }

    deinit {
        if closesDescriptor { SystemCalls.close(descriptor) }
    }

    /// The kernel driver's name, for example `msm`: `DRM_IOCTL_VERSION`.
    public func driverName() throws(SharedMemoryError) -> String {
        var name = [UInt8](repeating: 0, count: 64)
        var request = DRM.Version()
        let code: CInt = name.withUnsafeMutableBytes { bytes in
            request.nameByteCount = UInt64(bytes.count)
            request.name = UInt64(UInt(bitPattern: bytes.baseAddress))
            do throws(SystemError) {
                try SystemCalls.ioctl(descriptor, DRM.version, &request)
                return 0
            } catch {
                return error.errno
            }
        }
        guard code == 0 else {
            throw SharedMemoryError(operation: "ask \(path) for its driver", errno: code)
        }
        let count = Int(min(request.nameByteCount, UInt64(name.count)))
        return String(decoding: name[..<count], as: UTF8.self)
    }

    /// A handle by which this device knows the memory of `buffer`: `DRM_IOCTL_PRIME_FD_TO_HANDLE`. The buffer
    /// must be a dma-buf and may be closed before the handle.
    public func handle(for buffer: borrowing SharedBuffer) throws(SharedMemoryError) -> GEMHandle {
        var request = DRM.PrimeHandle(descriptor: buffer.descriptor)
        do throws(SystemError) {
            // Counted under one lock with the call, or a close in between would end the handle.
            try owners.withLock { owners throws(SystemError) in
                try SystemCalls.ioctl(descriptor, DRM.descriptorToHandle, &request)
                owners[request.handle, default: 0] += 1
            }
        } catch {
            let advice =
                buffer.isDMABuffer
                ? "this device's driver may not be able to import dma-bufs" : "the memory is no dma-buf"
            throw SharedMemoryError(
                operation: "import descriptor \(buffer.descriptor) into \(path)", errno: error.errno,
                advice: advice)
        }
        return GEMHandle(rawValue: request.handle, of: self)
    }

    /// Takes over a handle that the driver has just made.
    func adopt(_ handle: UInt32) -> GEMHandle {
        owners.withLock { $0[handle, default: 0] += 1 }
        return GEMHandle(rawValue: handle, of: self)
    }

    fileprivate func release(_ handle: UInt32) {
        owners.withLock { owners in
            guard let count = owners[handle] else { return }
            owners[handle] = count > 1 ? count - 1 : nil
            guard count == 1 else { return }
            var request = DRM.CloseHandle(handle: handle)
            _ = try? SystemCalls.ioctl(descriptor, DRM.closeHandle, &request)
        }
    }

    static func advice(_ errno: CInt, _ path: String) -> String {
        switch errno {
        case EACCES, EPERM: "join the group that owns \(path), usually `render`, and log in again"
        case ENOENT, ENODEV, ENXIO: "there is no such device; in a container, pass it in"
        default: ""
        }
    }
}

/// Memory as a DRM device knows it; the owner closes it with ``close()``, and one that goes out of scope is
/// closed as well. The memory lives on as long as a handle or a descriptor of it.
public struct GEMHandle: ~Copyable, Sendable {
    /// The number, valid in ``node`` only.
    public let rawValue: UInt32
    /// The device whose number it is.
    public let node: DRMRenderNode

    fileprivate init(rawValue: UInt32, of node: DRMRenderNode) {
        self.rawValue = rawValue
        self.node = node
    }

    deinit {
        node.release(rawValue)
    }

    /// Gives the handle back: `DRM_IOCTL_GEM_CLOSE`, unless it was given out more than once.
    public consuming func close() {}

    /// The memory as a dma-buf that other devices can import, mapped for this process:
    /// `DRM_IOCTL_PRIME_HANDLE_TO_FD`.
    ///
    /// - Parameter byteCount: how much of it to map, at most its size.
    public borrowing func export(byteCount: Int) throws(SharedMemoryError) -> SharedBuffer {
        var request = DRM.PrimeHandle(handle: rawValue)
        do throws(SystemError) {
            try SystemCalls.ioctl(node.descriptor, DRM.handleToDescriptor, &request)
        } catch {
            throw SharedMemoryError(
                operation: "export handle \(rawValue) of \(node.path)", errno: error.errno)
        }
        do throws(SystemError) {
            return try SharedBuffer(
                owning: request.descriptor, byteCount: byteCount, origin: .drm(node.path))
        } catch {
            SystemCalls.close(request.descriptor)
            throw SharedMemoryError(
                operation: "map \(byteCount) bytes of handle \(rawValue) of \(node.path)",
                errno: error.errno)
        }
    }
}
