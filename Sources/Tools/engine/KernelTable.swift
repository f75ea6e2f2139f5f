import Foundation

/// Prints measurements of kernels as they come.
struct KernelTable {
    private let format: Bench.Format
    private var rows = 0

    private static let titles = [
        "format", "kernels", "threads", "columns", "measured", "roof", "of", "share", "speedup",
    ]

    init(_ format: Bench.Format) { self.format = format }

    mutating func add(_ row: KernelRow) throws {
        let isFirst = rows == 0
        rows += 1
        switch format {
        case .md:
            if isFirst {
                printNow(
                    BenchTable.line(Self.titles)
                        + BenchTable.line(Self.titles.map { String(repeating: "-", count: $0.count) }))
            }
            let unit = row.roof_kind == "bandwidth" ? "GB/s" : "GMAC/s"
            printNow(
                BenchTable.line([
                    row.format, row.kernels, "\(row.n_threads)", "\(row.n_columns)",
                    String(format: "%.1f %@", row.measured, unit),
                    row.roof > 0 ? String(format: "%.1f", row.roof) : "-", row.roof_name,
                    row.roof > 0 ? String(format: "%.0f %%", row.share * 100) : "-",
                    row.speedup.map { String(format: "%.1f x %@", $0, row.compared ?? "") } ?? "-",
                ]))
        case .json: printNow((isFirst ? "[\n  " : ",\n  ") + (try BenchTable.object(row)))
        case .jsonl: printNow(try BenchTable.object(row) + "\n")
        case .csv:
            if isFirst {
                printNow(
                    "format,kernels,n_threads,n_columns,roof_kind,roof_name,weight_bytes,measured,roof,share,"
                        + "compared,speedup\n")
            }
            let cells = [
                row.format, row.kernels, "\(row.n_threads)", "\(row.n_columns)", row.roof_kind, row.roof_name,
                "\(row.weight_bytes)", "\(row.measured)", "\(row.roof)", "\(row.share)", row.compared ?? "",
                row.speedup.map { "\($0)" } ?? "",
            ]
            printNow(cells.map(BenchTable.quoted).joined(separator: ",") + "\n")
        }
    }

    func finish() {
        if format == .json { printNow(rows == 0 ? "[]\n" : "\n]\n") }
    }
}
