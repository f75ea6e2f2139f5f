import RemoteCalls

extension Shell {
    /// Opens a module: loads its library if need be, and calls its `open`.
    func open(_ text: String) throws(RemoteCallError) -> UInt32 {
        if let listener = DefaultListener(text) { return try enter(.defaultListener(listener)) }
        guard let uri = ModuleURI(text) else {
            throw RemoteCallError(.unableToLoad, operation: "\(text) is no URI of a module")
        }
        if uri.file == QueueTable.module.file {
            guard uri.symbol == QueueTable.module.symbol else {
                throw RemoteCallError(
                    .noSuchSymbol, operation: "\(uri.file) has no function \(uri.symbol)")
            }
            return try enter(.queues)
        }
        let (library, entry) = try loader.load(uri, behaviour)
        let program = try Program(library, entry, uri: text)
        do throws(RemoteCallError) {
            return try enter(.program(program))
        } catch {
            _ = program.close()
            throw error
        }
    }

    private func enter(_ module: ModuleTable.Module) throws(RemoteCallError) -> UInt32 {
        guard let handle = modules.add(module) else {
            throw RemoteCallError(.noMemory, operation: "no handle left")
        }
        return handle
    }

    /// Closes what was opened.
    func close(_ handle: UInt32) throws(RemoteCallError) -> AEEResult {
        switch try modules.remove(handle) {
        case .program(let program): program.close()
        case .queues, .defaultListener: .success
        }
    }

    /// Calls a module that was opened.
    func invokeModule(
        _ handle: UInt32, _ scalars: Scalars, _ arguments: inout [RemoteArgument]
    ) throws(RemoteCallError) -> Outcome {
        switch try modules.module(handle) {
        case .program(let program):
            guard survivesUserCall() else { return .dies }
            return try withList(&arguments) { list throws(RemoteCallError) in
                .answered(try program.invoke(scalars, list))
            }
        case .queues:
            return try withList(&arguments) { list throws(RemoteCallError) in
                try queues.invoke(scalars, list, hangs: behaviour == .queueHang)
                return .answered(.success)
            }
        case .defaultListener(let listener):
            try listener.invoke(scalars)
            return .answered(.success)
        }
    }
}
