import CDRM
import Glibc

/// A graphics or accelerator device that the kernel's DRM subsystem knows.
public struct DRMDevice: Hashable, Sendable {
    /// Where the device sits.
    public enum Bus: String, Hashable, Sendable {
        /// `DRM_BUS_PCI`
        case pci
        /// `DRM_BUS_USB`
        case usb
        /// `DRM_BUS_PLATFORM`: part of the chip, as on every Qualcomm board.
        case platform
        /// `DRM_BUS_HOST1X`
        case host1x
        /// A bus that this library does not know.
        case other
    }

    /// The bus.
    public var bus: Bus
    /// The node for display control, for example `/dev/dri/card0`.
    public var primaryNode: String?
    /// The node for rendering and for shared memory, for example `/dev/dri/renderD128`.
    public var renderNode: String?
    /// The kernel driver's name, for example `msm`; nil where this user may not open the render node.
    public var driver: String?

    package init(bus: Bus, primaryNode: String? = nil, renderNode: String?, driver: String?) {
        self.bus = bus
        self.primaryNode = primaryNode
        self.renderNode = renderNode
        self.driver = driver
    }
}

/// What there is under `/dev/dri` and `/dev/accel`.
public enum DRMNodes {
    /// The DRM devices, found by libdrm. Of the nodes only render nodes are opened, to ask for the name of
    /// the driver. Empty where there are none.
    public static func list() throws(SharedMemoryError) -> [DRMDevice] {
        let count = drmGetDevices2(0, nil, 0)
        if count == -ENOENT { return [] }  // no /dev/dri
        guard count >= 0 else { throw SharedMemoryError(operation: "list DRM devices", errno: -count) }
        guard count > 0 else { return [] }
        var devices = [drmDevicePtr?](repeating: nil, count: Int(count))
        // A device may appear or vanish between the two calls: only as many as fit are filled in.
        let found = drmGetDevices2(0, &devices, count)
        guard found >= 0 else { throw SharedMemoryError(operation: "list DRM devices", errno: -found) }
        let valid = min(found, count)
        defer { drmFreeDevices(&devices, valid) }
        return devices.prefix(Int(valid)).compactMap { $0.map { describe($0.pointee) } }
    }

    /// The nodes of compute accelerators, `/dev/accel/accel*`, in order of their names.
    ///
    /// A Hexagon DSP is there, instead of under `/dev/fastrpc-*`, where the kernel drives it with QDA.
    public static func accelerators(directory: String = "/dev/accel") -> [String] {
        SystemCalls.fileNames(in: directory).filter { $0.hasPrefix("accel") }.map { "\(directory)/\($0)" }
            .sorted()
    }

    private static func describe(_ device: drmDevice) -> DRMDevice {
        func node(_ type: CInt) -> String? {
            guard device.available_nodes & 1 << type != 0, let path = device.nodes[Int(type)] else {
                return nil
            }
            return String(cString: path)
        }
        let bus: DRMDevice.Bus =
            switch device.bustype {
            case DRM_BUS_PCI: .pci
            case DRM_BUS_USB: .usb
            case DRM_BUS_PLATFORM: .platform
            case DRM_BUS_HOST1X: .host1x
            default: .other
            }
        let render = node(CInt(DRM_NODE_RENDER))
        return DRMDevice(
            bus: bus, primaryNode: node(CInt(DRM_NODE_PRIMARY)), renderNode: render,
            driver: render.flatMap(driverName))
    }

    private static func driverName(_ node: String) -> String? {
        try? DRMRenderNode(path: node).driverName()
    }
}
