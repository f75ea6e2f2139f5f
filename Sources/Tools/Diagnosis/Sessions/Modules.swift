import HTPInterface
import HexagonRPC

/// The module that was made for this probe.
enum FastRPCProbeModule {
    static let file = FastRPCProbe<RemoteHandle>.moduleFile
    static let uri = ModuleURI(interface: "fastrpc_probe")
}

/// The module that `engine` loads.
enum EngineModule {
    static let file = HTP<RemoteHandle>.moduleFile
    static let uri = ModuleURI(interface: "htp")
}
