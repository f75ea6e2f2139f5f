import HTPInterface
import HexagonRPC

extension HTPDevice {
    /// Makes a queue in a new session, where batches are to go by one. Where it cannot be had or does not answer, they
    /// go as calls, and the user is told.
    func beginQueue(_ connection: ProgramConnection) throws {
        guard usesQueue else { return }
        do {
            queue = try perform(within: timeout.forCalls) {
                let queue = try connection.session.session.makeQueue()
                do {
                    try connection.program.queue(id: queue.exportedID)
                } catch {
                    try? queue.close()
                    throw error
                }
                return queue
            }
            // On some machines queues can be made, and then nothing comes: a batch that cannot be is answered at once.
            _ = try exchange(descriptor: -1, byteCount: 0, within: .seconds(2))
        } catch let interruption as Interruption {
            throw interruption
        } catch {
            if let lost = (error as? DSPQueueError)?.lostSession ?? error as? RemoteCallError,
                lost.isSessionLost
            {
                throw lost
            }
            usesQueue = false
            endQueue()
            onRecovery?("\(name): no message queue: \(error); batches go as calls")
            // Where even that did not return the session was given up.
            guard self.connection != nil else { throw Self.noAnswer(timeout.forCalls) }
        }
    }

    /// Sends a batch as a packet. Where no answer comes the session is given up like one whose call does not return, and
    /// later batches go as calls: rather the queue hangs than the DSP.
    func sendByQueue(_ descriptor: CInt, _ byteCount: UInt64, within limit: Duration?) throws {
        let status: AEEResult
        do {
            status = try exchange(descriptor: descriptor, byteCount: byteCount, within: limit)
        } catch let interruption as Interruption {
            abandon()
            throw interruption
        } catch DSPQueueError.expired {
            usesQueue = false
            abandon()
            throw Self.noAnswer(limit)
        }
        guard status == .success else {
            throw RemoteCallError(status, operation: "run a batch by message queue")
        }
    }

    private func endQueue() {
        guard let queue, let connection else { return }
        self.queue = nil
        try? perform(within: timeout.forCalls) { connection.close(queue) }
    }

    /// Sends a batch as a packet and waits for the answer.
    ///
    /// - Throws: `expired` after `limit`, ``Interruption`` where that was wanted: then the batch may still run.
    /// - Returns: the program's code.
    func exchange(descriptor: CInt, byteCount: UInt64, within limit: Duration?) throws -> AEEResult {
        guard let queue else { throw Self.noSession }
        batchNumber &+= 1
        var request = [UInt8](repeating: 0, count: BatchLayout.Request.byteCount)
        request.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            let fields = FieldWriter(base: base)
            fields.store(batchNumber, at: BatchLayout.Request.number)
            fields.store(descriptor, at: BatchLayout.Request.descriptor)
            fields.store(byteCount, at: BatchLayout.Request.size)
        }
        guard try queue.write(request) else { throw DSPQueueError.expired("no room for a packet") }
        var patience = Patience(limit, clock, isInterrupted)
        while true {
            do throws(DSPQueueError) {
                let answer = try queue.read(deadline: .now + Patience.interval).message
                // One that came too late is no answer to this.
                if let status = BatchLayout.Response.status(in: answer, number: batchNumber) { return status }
            } catch {
                guard case .expired = error else { throw error }
            }
            guard patience.remains else {
                if patience.isInterrupted { throw Interruption() }
                throw DSPQueueError.expired("no packet within \(limit ?? .zero)")
            }
        }
    }
}

extension DSPQueueError {
    /// The error of a session that is lost, where that is what it is about.
    fileprivate var lostSession: RemoteCallError? {
        guard case .remote(let error) = self else { return nil }
        return error
    }
}
