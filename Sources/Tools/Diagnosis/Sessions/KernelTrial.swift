import Glibc
import HexagonRPC
import SystemInterfaces

/// Tries one DSP through the kernel's driver, in a process of its own, which may be killed at any time.
package final class KernelTrial {
    private let request: KernelTrialRequest
    private let writer: StepWriter
    private let domain: Domain
    private let transport: KernelTransport
    private let log = TransportLog()

    package init?(_ request: KernelTrialRequest, output: CInt) {
        guard let domain = Domain(name: request.domain) else { return nil }
        self.request = request
        self.domain = domain
        writer = StepWriter(descriptor: output)
        var options = KernelTransport.Options()
        options.observe = { [log] in log.note($0) }
        options.processName = "fastrpc-probe"
        // What hangs is killed by the parent.
        options.endTimeout = .seconds(1)
        transport = KernelTransport(options)
    }

    /// Tries everything, until something ends the session.
    package func run() {
        askCapabilities()
        guard !request.endsBeforeSession else { return }
        guard let session = begin() else { return }
        var use = SessionUse(session, writer, log, request.modules)
        use.run()
        session.end()
    }

    private func askCapabilities() {
        writer.begin("capabilities", deadline: 4)
        do throws(RemoteCallError) {
            let found = try transport.capabilities(of: domain)
            let names: [(DSPAttribute, String)] = [
                (.architectureVersion, "architecture"), (.unsignedProcessSupport, "unsignedProcesses"),
                (.hvx64, "hvx64"), (.hvx128, "hvx128"), (.vtcmPage, "vtcmPage"), (.vtcmCount, "vtcmCount"),
                (.hmxDepth, "hmxDepth"), (.hmxSpatial, "hmxSpatial"),
            ]
            var values: [String: String] = [:]
            for (attribute, name) in names { values[name] = found?[attribute].map(String.init) }
            if found != nil, try transport.answersInDomain(domain) { values["reply"] = "old" }
            writer.done(values)
        } catch {
            writer.failed(error)
        }
    }

    private func begin() -> (any TransportSession)? {
        writer.begin("session", deadline: 8)
        let start = ContinuousClock.now
        do throws(RemoteCallError) {
            let session = try transport.connect(SessionConfiguration(domain: domain))
            writer.done(["milliseconds": milliseconds(.now - start)])
            return session
        } catch {
            writer.failed(error, log.values)
            return nil
        }
    }
}
