import ArgumentParser
import HexagonIDL

@main
struct HexagonIDLTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hexagon-idl",
        abstract: "Compiles Hexagon interface definitions (IDL).",
        subcommands: [Compile.self, LintCommand.self, Describe.self])
}

struct Compile: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks a file and generates the bindings that are asked for.",
        discussion:
            "Without an output only checks. '-' writes to stdout. Nothing is written if anything fails.")

    @OptionGroup var input: Input

    @OptionGroup var warnings: WarningOptions

    @Option(
        help:
            "The interface to generate code from, in a file that defines several. Swift takes all without it, and the C header always."
    )
    var interface: String?

    @Option(name: .customLong("swift"), help: "The Swift stub.")
    var swiftOutput: String?

    @Option(
        name: .customLong("swift-skel"), help: "The Swift skel, which serves calls; needs the stub's file.")
    var swiftSkelOutput: String?

    @Option(
        help:
            "The stub's type; by default the interface's name, spelled like the Swift file if that is the same word."
    )
    var swiftName: String?

    @Option(help: "What the Swift files import.")
    var swiftImport = "HexagonRPC"

    @Option(
        name: .customLong("swift-table"),
        help: "Swift: an enum of the methods with the shapes of their calls, called like the file.")
    var tableOutput: String?

    @Option(name: .customLong("c-header"), help: "The C header.")
    var headerOutput: String?

    @Option(name: .customLong("c-skel"), help: "The C skel, which unpacks calls on the DSP.")
    var skelOutput: String?

    @Option(name: .customLong("c-stub"), help: "The C stub, which packs calls on the host.")
    var stubOutput: String?

    func run() throws {
        let all = try input.unit()
        let found = warnings.warnings(of: all)
        input.print(found)
        if warnings.areErrors, !found.isEmpty { throw ExitCode.failure }
        let unit = try selected(of: all)
        var outputs: [(path: String, text: String)] = []
        do throws(IDLError) {
            if let swiftOutput {
                let name = swiftName ?? SwiftStub.name(for: unit, writtenTo: swiftOutput)
                outputs.append(
                    (swiftOutput, try SwiftStub.generate(unit, name: name, importing: swiftImport)))
            }
            if let swiftSkelOutput {
                let name = swiftName ?? swiftOutput.flatMap { SwiftStub.name(for: unit, writtenTo: $0) }
                outputs.append(
                    (swiftSkelOutput, try SwiftSkel.generate(unit, name: name, importing: swiftImport)))
            }
            if let tableOutput {
                outputs.append(
                    (
                        tableOutput,
                        try SwiftTable.generate(
                            unit, name: SwiftTable.name(writtenTo: tableOutput), importing: swiftImport)
                    ))
            }
            if let headerOutput { outputs.append((headerOutput, try CHeader.generate(all))) }
            if let stubOutput { outputs.append((stubOutput, try CStub.generate(unit))) }
            if let skelOutput { outputs.append((skelOutput, try CSkel.generate(unit))) }
        } catch {
            input.print(error.diagnostics)
            throw ExitCode.failure
        }
        try Files.write(outputs)
    }

    /// The unit with what stubs and skels are generated from: one interface, or several for Swift alone.
    private func selected(of unit: IDLUnit) throws -> IDLUnit {
        let names = unit.interfaces.map(\.name).joined(separator: ", ")
        if let interface {
            if let unit = unit.selecting(interface: interface) { return unit }
            throw ValidationError("\(input.file) defines no interface '\(interface)', but: \(names)")
        }
        let isGeneratingC = stubOutput != nil || skelOutput != nil
        guard isGeneratingC, unit.interfaces.count > 1 else { return unit }
        throw ValidationError(
            "\(input.file) defines several interfaces; say which the C stub or skel is for with --interface: \(names)"
        )
    }
}

struct Describe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Describes every method's call as JSON: index, scalars, buffers and fields.")

    @OptionGroup var input: Input

    func run() throws {
        let unit = try input.unit()
        do throws(IDLError) {
            Swift.print(try JSONDescription.generate(unit), terminator: "")
        } catch {
            input.print(error.diagnostics)
            throw ExitCode.failure
        }
    }
}
