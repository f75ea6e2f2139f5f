import RemoteCalls

extension Shell {
    /// Opens a module: loads its library if need be, and calls its `open`.
    func open(_ text: String) throws(RemoteCallError) -> UInt32 {
        guard let uri = ModuleURI(text) else {
            throw RemoteCallError(.unableToLoad, operation: "\(text) is no URI of a module")
        }
        let (library, entry) = try loader.load(uri, behaviour)
        let program = try Program(library, entry, uri: text)
        guard let handle = modules.add(.program(program)) else {
            _ = program.close()
            throw RemoteCallError(.noMemory, operation: "no handle left")
        }
        return handle
    }

    /// Closes what was opened.
    func close(_ handle: UInt32) throws(RemoteCallError) -> AEEResult {
        switch try modules.remove(handle) {
        case .program(let program): program.close()
        }
    }

    /// Calls a module that was opened.
    func invokeModule(
        _ handle: UInt32, _ scalars: Scalars, _ arguments: inout [RemoteArgument]
    ) throws(RemoteCallError) -> Outcome {
        switch try modules.module(handle) {
        case .program(let program):
            guard survivesUserCall() else { return .dies }
            return arguments.withUnsafeMutableBufferPointer { .answered(program.invoke(scalars, $0)) }
        }
    }
}
