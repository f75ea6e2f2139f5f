import Foundation
import Glibc

/// Tries sessions in child processes, this program again, and kills those that hang.
package struct ProcessTrial: SessionTrial {
    /// The whole of a trial may not take longer than this, whatever its steps may take.
    private static let limit = Duration.seconds(25)

    /// The program, and the arguments before the request, for each kind of trial.
    let program: String
    let kernelArguments: [String]
    let libraryArguments: [String]

    package init(program: String, kernelArguments: [String], libraryArguments: [String]) {
        self.program = program
        self.kernelArguments = kernelArguments
        self.libraryArguments = libraryArguments
    }

    package func kernel(_ request: KernelTrialRequest) -> SessionOutcome { run(kernelArguments, request) }

    package func library(_ request: LibraryTrialRequest) -> SessionOutcome { run(libraryArguments, request) }

    private func run(_ arguments: [String], _ request: some Encodable) -> SessionOutcome {
        guard let json = try? JSONEncoder().encode(request) else {
            return .notTried("the request has no text")
        }
        var ends: (reading: CInt, writing: CInt) = (-1, -1)
        let made = withUnsafeMutableBytes(of: &ends) {
            pipe($0.baseAddress?.assumingMemoryBound(to: CInt.self))
        }
        guard made == 0 else { return .notTried("no pipe: \(String(cString: strerror(errno)))") }
        _ = fcntl(ends.reading, F_SETFD, FD_CLOEXEC)
        _ = fcntl(ends.writing, F_SETFD, FD_CLOEXEC)
        defer { close(ends.reading) }
        let process = start(arguments + [String(decoding: json, as: UTF8.self)], output: ends.writing)
        close(ends.writing)
        switch process {
        case .failure(let error): return .notTried("no process for it: \(error)")
        case .success(let process): return follow(process, ends.reading)
        }
    }

    private struct StartFailure: Error, CustomStringConvertible {
        let description: String
    }

    /// Starts the child with its standard output in the pipe; what a library prints on standard error is dropped.
    private func start(_ arguments: [String], output: CInt) -> Result<pid_t, StartFailure> {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 3)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var process = pid_t()
        let strings = ([program] + arguments).map { strdup($0) }
        defer { for string in strings { free(string) } }
        let code = posix_spawn(&process, program, &actions, nil, strings + [nil], environ)
        return code == 0
            ? .success(process) : .failure(StartFailure(description: String(cString: strerror(code))))
    }

    /// Reads the child's lines until it ends or a deadline passes.
    private func follow(_ process: pid_t, _ descriptor: CInt) -> SessionOutcome {
        let end = ContinuousClock.now + Self.limit
        var deadline = ContinuousClock.now + .seconds(10)
        var allowed = 10.0
        var pending = Data()
        var steps: [SessionStep] = []
        var current = "start"
        while true {
            let left = ContinuousClock.now.duration(to: min(deadline, end)) / .milliseconds(1)
            guard left > 0 else {
                stop(process)
                let time = allowed == allowed.rounded() ? "\(Int(allowed))" : "\(allowed)"
                return SessionOutcome(
                    steps: steps, interrupted: (current, "no answer within \(time) s; the attempt was ended"))
            }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, CInt(min(left, 1000)) + 1) > 0 else { continue }
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            pending += chunk[..<count]
            while let newline = pending.firstIndex(of: 0x0a) {
                let line = pending[..<newline]
                pending = Data(pending[(newline + 1)...])
                guard let step = try? JSONDecoder().decode(SessionStep.self, from: line) else { continue }
                if step.state == .begins {
                    current = step.name
                    allowed = step.deadline ?? 5
                    deadline = .now + .seconds(allowed)
                } else {
                    steps.append(step)
                    if step.state != .goesOn {
                        current = ""
                        // Time to close what is open; whether that works matters to nobody.
                        deadline = .now + .seconds(3)
                    }
                }
            }
        }
        guard let how = stop(process), !current.isEmpty else { return SessionOutcome(steps: steps) }
        return SessionOutcome(steps: steps, interrupted: (current, how))
    }

    /// Ends a child. One that does not end even by SIGKILL, as the kernel holds it, is left to itself.
    ///
    /// - Returns: how it ended, if not in good order by itself.
    @discardableResult
    private func stop(_ process: pid_t) -> String? {
        var status: CInt = 0
        let deadline = ContinuousClock.now + .seconds(2)
        var isKilled = false
        // It has closed its end of the pipe or hangs: a moment to end by itself.
        let patience = ContinuousClock.now + .milliseconds(200)
        while waitpid(process, &status, WNOHANG) == 0 {
            if !isKilled, ContinuousClock.now > patience {
                kill(process, SIGKILL)
                isKilled = true
            }
            guard ContinuousClock.now < deadline else { return "the kernel holds the process that tried it" }
            usleep(2000)
        }
        let signal = status & 0x7f
        if signal != 0, !isKilled {
            return "the process that tried it died of signal \(signal) (\(name(of: signal)))"
        }
        let code = status >> 8 & 0xff
        return code == 0 || isKilled ? nil : "the process that tried it ended with code \(code)"
    }

    private func name(of signal: CInt) -> String { String(cString: strsignal(signal)) }
}
