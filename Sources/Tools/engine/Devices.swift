import ArgumentParser
import Engine
import FastRPCLibrary
import Foundation
import HexagonRPC
import VirtualDSP

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the devices that a model can be placed on.",
        discussion: "No session is opened; fastrpc-probe looks deeper.")

    @Flag(help: "Print one JSON object.")
    var json = false

    private struct Device: Encodable {
        var name: String
        var kind: String
        var available: Bool
        var detail: String
    }

    private struct Output: Encodable {
        var version = 1
        var devices: [Device]
    }

    func run() throws {
        try reportingFailure {
            let levels = InstructionSet.available.map(\.name).joined(separator: ", ")
            var devices = [
                Device(
                    name: "cpu", kind: "cpu", available: true,
                    detail: "kernels: \(InstructionSet.best.name) (of \(levels))")
            ]
            do {
                let transport = try TransportChoice.automatic.transport()
                let way = transport is KernelTransport ? "the kernel's driver" : transport.name
                devices.append(
                    Device(name: "htp0", kind: "hardware", available: true, detail: "through \(way)"))
            } catch {
                devices.append(Device(name: "htp0", kind: "hardware", available: false, detail: "\(error)"))
            }
            devices.append(
                Device(
                    name: "sim0", kind: "simulator", available: true,
                    detail: "the DSP program in this process, HVX emulated"))
            do {
                let transport = try QemuTransport()
                devices.append(
                    Device(
                        name: "qemu0", kind: "qemu", available: true,
                        detail: "the DSP program as Hexagon code, executed by qemu's \(transport.processor)"))
            } catch {
                devices.append(Device(name: "qemu0", kind: "qemu", available: false, detail: "\(error)"))
            }
            if json {
                try printJSON(Output(devices: devices))
            } else {
                for device in devices {
                    let state = device.available ? "available" : "not available"
                    printNow("\(device.name)  \(device.kind)  \(state)  \(device.detail)\n")
                }
            }
        }
    }
}
