/// The ways to a real DSP, for programs that let their users choose one by name.
public enum TransportChoice: String, CaseIterable, Sendable {
    /// The kernel's driver where it has a node for the DSP, else the vendor's library.
    case automatic = "auto"
    /// ``KernelTransport``
    case kernel
    /// ``LibraryTransport``
    case library

    /// Makes the transport; nothing is opened yet, but a library is loaded.
    ///
    /// - Parameters:
    ///   - domain: the DSP that `automatic` looks for.
    ///   - options: for the kernel transport.
    /// - Throws: why the library cannot be loaded; for `automatic`, also that there is no node.
    public func transport(
        for domain: Domain = .compute, _ options: KernelTransport.Options = KernelTransport.Options()
    ) throws(RemoteCallError) -> any Transport {
        let kernel = KernelTransport(options)
        switch self {
        case .kernel: return kernel
        case .library: return try Self.library(advice: "")
        case .automatic:
            let nodes = FastRPCNode.list(directory: options.nodeDirectory)
            if nodes.contains(where: { $0.label == domain.name }) { return kernel }
            return try Self.library(
                advice: "the kernel has no node \(options.nodeDirectory)/fastrpc-\(domain) either; "
                    + "fastrpc-probe tells why")
        }
    }

    private static func library(advice: String) throws(RemoteCallError) -> any Transport {
        do throws(FastRPCLibraryError) {
            return try LibraryTransport()
        } catch {
            throw RemoteCallError(.noSuchDevice, operation: "load libcdsprpc: \(error)", advice: advice)
        }
    }
}
