import Glibc
import SharedMemory

/// `/dev/dri/renderD128`
struct DRMRenderNode: VirtualNode {
    let kernel: VirtualKernel

    var path: String { Self.path }
    static let path = "/dev/dri/renderD128"

    func open(_ flags: CInt, _ caller: any Caller) throws(SystemError) -> any VirtualFile {
        try kernel.checkOpening(path)
        return DRMFile(kernel)
    }
}
