import FastRPCKernel
import SharedMemory

/// `/dev/fastrpc-<label>` or `/dev/fastrpc-<label>-secure`
struct FastRPCDeviceNode: VirtualNode {
    let kernel: VirtualKernel
    let node: FastRPCNode

    var path: String { node.path }

    func open(_ flags: CInt, _ caller: any Caller) throws(SystemError) -> any VirtualFile {
        try kernel.checkOpening(path)
        return try FastRPCFile(kernel, kernel.channel(node.label), isSecure: node.isSecure)
    }
}
