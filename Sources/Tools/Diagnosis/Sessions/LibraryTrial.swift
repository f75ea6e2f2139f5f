import HexagonRPC

/// Tries one DSP through libcdsprpc, in a process of its own: its constructor may take a session, and it may crash.
package final class LibraryTrial {
    private let request: LibraryTrialRequest
    private let writer: StepWriter
    private let domain: Domain

    package init?(_ request: LibraryTrialRequest, output: CInt) {
        guard let domain = Domain(name: request.domain) else { return nil }
        self.request = request
        self.domain = domain
        writer = StepWriter(descriptor: output)
    }

    /// `dspqueue_rpc`, which every process on a DSP has built in: opening it needs no file.
    private static let builtIn = ModuleURI(interface: "dspqueue_rpc")

    /// Opens a session, makes a call where there is a module for it, and closes.
    package func run() {
        writer.begin("library-session", deadline: 10)
        let start = ContinuousClock.now
        do {
            let transport = try LibraryTransport(path: request.file)
            let session = try transport.connect(SessionConfiguration(domain: domain))
            let handle = try session.open(Self.builtIn)
            var values = ["milliseconds": milliseconds(.now - start)]
            if !request.modules.isEmpty {
                let number = try session.open(FastRPCProbeModule.uri)
                let program = FastRPCProbe(OpenHandle(session: session, number: number))
                guard try program.echo(bytes: [1, 2, 3], resultCount: 3) == [2, 3, 4] else {
                    throw WrongAnswer(
                        description: "1, 2, 3 were sent to be increased by one, others came back")
                }
                try session.close(number)
                values["called"] = "a method is called"
            }
            try session.close(handle)
            session.end()
            writer.done(values)
        } catch {
            writer.failed(error)
        }
    }
}
