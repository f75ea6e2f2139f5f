import DSPQueue
import Glibc
import RemoteCalls
import Synchronization
import TestSupport

/// Carries queues over the emulated kernel's side of the channel, with `dspqueue_rpc` on the DSP.
final class KernelQueueTransport: QueueTransport {
    private let kernel: TestKernel
    private let handle: UInt32
    private let buffers = Mutex<[CInt: TestKernel.Buffer]>([:])
    private let refusals = Mutex(0)

    /// How often the DSP refused a queue; once is how it says that it looks at versions.
    var refusedQueues: Int { refusals.withLock { $0 } }

    init(_ kernel: TestKernel) {
        self.kernel = kernel
        handle =
            kernel.open("file:///libdspqueue_rpc_skel.so?dspqueue_rpc_skel_handle_invoke&_modver=1.0").handle
    }

    private func call(
        _ scalars: UInt32, _ words: [UInt32] = [], _ out: [Int] = []
    ) throws(RemoteCallError) -> TestKernel.Outcome {
        let outcome = kernel.invoke(handle, scalars, words.isEmpty ? [] : [TestKernel.words(words)], out)
        guard outcome.status == 0 else {
            throw RemoteCallError(
                AEEResult(rawValue: outcome.status ?? 104), operation: "dspqueue_rpc \(scalars)")
        }
        return outcome
    }

    private static func words(_ number: UInt64) -> [UInt32] {
        [UInt32(truncatingIfNeeded: number), UInt32(number >> 32)]
    }

    func signal() throws(RemoteCallError) { _ = try call(0x0800_0000) }
    func waitForSignal() throws(RemoteCallError) -> Bool { try call(0x0600_0100, [], [4]).word(0, 0) == 0 }
    func cancelWaitForSignal() throws(RemoteCallError) { _ = try call(0x0700_0000) }

    func map(descriptor: CInt, byteCount: Int) throws(RemoteCallError) {
        do {
            let buffer = try kernel.share(descriptor, byteCount)
            buffers.withLock { $0[descriptor] = buffer }
        } catch {
            throw RemoteCallError(.failed, operation: "map")
        }
    }

    func unmap(descriptor: CInt, byteCount: Int) throws(RemoteCallError) {
        guard let buffer = buffers.withLock({ $0.removeValue(forKey: descriptor) }) else { return }
        _ = kernel.unmap(buffer)
        kernel.free(buffer)
    }

    func initializeProcessState(descriptor: CInt) throws(RemoteCallError) {
        _ = try call(0x0201_0000, [UInt32(bitPattern: descriptor)])
    }

    func createQueue(id: UInt32, descriptor: CInt, queueCount: UInt32) throws(RemoteCallError) -> UInt64 {
        do throws(RemoteCallError) {
            let outcome = try call(0x0301_0100, [id, UInt32(bitPattern: descriptor), queueCount], [8])
            return UInt64(outcome.word(0, 0)) | UInt64(outcome.word(0, 4)) << 32
        } catch {
            if error.result.rawValue == 0x8000_0414 { refusals.withLock { $0 += 1 } }
            throw error
        }
    }

    func destroyQueue(_ queue: UInt64) throws(RemoteCallError) {
        _ = try call(0x0401_0000, Self.words(queue))
    }

    func isImported(_ queue: UInt64) throws(RemoteCallError) -> Bool {
        try call(0x0501_0100, Self.words(queue), [4]).word(0, 0) != 0
    }
}
