import Foundation
import Glibc
import HexagonRPC

/// Tells the parent process what the trial does, one line for each step's begin and end.
final class StepWriter {
    private let descriptor: CInt
    private var name = ""

    init(descriptor: CInt) {
        self.descriptor = descriptor
    }

    func begin(_ name: String, deadline: Double) {
        self.name = name
        write(SessionStep(name, .begins, deadline: deadline))
    }

    func goesOn(_ values: [String: String]) { write(SessionStep(name, .goesOn, values: values)) }

    func done(_ values: [String: String] = [:]) { write(SessionStep(name, .done, values: values)) }

    func failed(_ error: any Error, _ values: [String: String] = [:]) {
        var step = SessionStep(name, .failed, values: values, text: "\(error)")
        switch error {
        case let error as RemoteCallError:
            step.code = error.result.rawValue
            step.text = error.operation
            step.advice = error.advice
        case let error as DSPQueueError: step.code = error.result.rawValue
        case let error as SharedMemoryError where error.errno != 0:
            step.text = "\(error)"
        default: break
        }
        write(step)
    }

    private func write(_ step: SessionStep) {
        guard var line = try? JSONEncoder().encode(step) else { return }
        line.append(0x0a)
        line.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Glibc.write(
                    descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0 && errno == EINTR { continue }
                // The parent is gone: nobody wants to know.
                guard count > 0 else { _exit(1) }
                rest = rest.dropFirst(count)
            }
        }
    }
}

/// A wrong answer of the DSP.
struct WrongAnswer: Error, CustomStringConvertible {
    let description: String
}

/// Milliseconds, with one or three digits after the point.
func milliseconds(_ duration: Duration) -> String {
    let value = duration / .milliseconds(1)
    let digits = value < 1 ? 1000.0 : 10.0
    return "\((value * digits).rounded() / digits)"
}
