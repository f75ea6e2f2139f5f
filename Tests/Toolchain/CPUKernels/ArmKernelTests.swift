import Foundation
import Testing

/// The kernels compiled for arm64 and run under qemu: the dot product level against the portable one.
@Suite("CPU kernels on arm64", .enabled(if: ArmTools.areInstalled, ArmTools.missing))
struct ArmKernelTests {
    @Test("NEON with dot products equals the portable level")
    func equality() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let kernels = URL(fileURLWithPath: #filePath)
            .appendingPathComponent("../../../../Sources/Inference/CPUKernels").standardizedFileURL
        let sources = try FileManager.default.contentsOfDirectory(atPath: kernels.path)
            // Repacking is written for the compiler that builds the package, clang.
            .filter { $0.hasSuffix(".c") && $0 != "repack.c" }.map { kernels.path + "/" + $0 }
        let main = folder.appendingPathComponent("main.c").path
        let program = folder.appendingPathComponent("compare").path
        try Self.source.write(toFile: main, atomically: true, encoding: .utf8)
        let compiler = ["aarch64-linux-gnu-gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-static"]
        let compiled = try ArmTools.run(
            compiler + ["-I", kernels.path + "/include", "-o", program, main] + sources + ["-lm"])
        try #require(compiled.status == 0, "\(compiled.output)")
        let result = try ArmTools.run(["qemu-aarch64", "-cpu", "max", program])
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains("compared 100 products"), "\(result.output)")
    }

    private static let source = #"""
        #include <math.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include "cpu_kernels.h"

        static uint64_t state = 88172645463325252u;
        static uint32_t next(void) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            return (uint32_t)(state >> 20);
        }
        static float uniform(void) { return (float)(next() & 0xffffff) / 0x1p23f - 1; }

        static int faults;
        static void compare(const char *what, const float *a, const float *b, size_t n, double bound) {
            double error = 0, power = 1e-30;
            for (size_t i = 0; i < n; i++) {
                error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
                power += (double)a[i] * a[i];
            }
            if (!(error / power < bound)) {
                printf("%s: NMSE %g\n", what, error / power);
                faults++;
            }
        }

        typedef struct {
            const char *name;
            cpu_matmul *portable, *neon;
            int block_bytes;
        } product;

        int main(void) {
            const cpu_kernels *p = cpu_kernels_get(CPU_KERNELS_PORTABLE);
            const cpu_kernels *k = cpu_kernels_get(CPU_KERNELS_NEON_DOTPROD);
            if (!k) {
                printf("no dot product level on this processor\n");
                return 1;
            }
            product products[] = {
                {"f32", p->matmul_f32, k->matmul_f32, 128}, {"f16", p->matmul_f16, k->matmul_f16, 64},
                {"bf16", p->matmul_bf16, k->matmul_bf16, 64}, {"q8_0", p->matmul_q8_0, k->matmul_q8_0, 34},
                {"q4_0", p->matmul_q4_0, k->matmul_q4_0, 18}};
            size_t shapes[4][2] = {{1, 32}, {6, 96}, {37, 544}, {8, 2080}}, counts[5] = {1, 3, 4, 5, 9};
            int compared = 0;
            for (int t = 0; t < 5; t++)
                for (int s = 0; s < 4; s++)
                    for (int n = 0; n < 5; n++, compared++) {
                        size_t rows = shapes[s][0], columns = shapes[s][1], count = counts[n];
                        size_t row_bytes = columns / 32 * (size_t)products[t].block_bytes;
                        uint8_t *weights = malloc(rows * row_bytes + 1) + 1;
                        for (size_t i = 0; i < rows * row_bytes; i++) weights[i] = (uint8_t)next();
                        for (size_t i = 0; i < rows * columns && t < 3; i++) {
                            float value = uniform();
                            uint16_t half;
                            p->f16_from_f32(&half, &value, 1);
                            if (t == 0) memcpy(weights + 4 * i, &value, 4);
                            if (t == 1) memcpy(weights + 2 * i, &half, 2);
                            if (t == 2) memcpy(weights + 2 * i, (uint8_t *)&value + 2, 2);
                        }
                        for (size_t i = 0; i < rows * columns / 32 && t >= 3; i++)
                            weights[i * (size_t)products[t].block_bytes + 1] &= 0x23;
                        float *x = malloc(count * columns * 4);
                        for (size_t i = 0; i < count * columns; i++) x[i] = uniform();
                        size_t x_bytes = t < 3 ? columns * 4 : cpu_activation_bytes(columns);
                        uint8_t *a = malloc(count * x_bytes), *b = malloc(count * x_bytes);
                        for (size_t c = 0; c < count; c++) {
                            if (t < 3) {
                                memcpy(a + c * x_bytes, x + c * columns, x_bytes);
                                memcpy(b + c * x_bytes, x + c * columns, x_bytes);
                            } else {
                                p->quantize_activations(x + c * columns, columns, a + c * x_bytes);
                                k->quantize_activations(x + c * columns, columns, b + c * x_bytes);
                            }
                        }
                        if (memcmp(a, b, count * x_bytes)) {
                            printf("quantised activations differ\n");
                            faults++;
                        }
                        float *y = malloc(count * rows * 4), *z = malloc(count * rows * 4);
                        products[t].portable(
                            weights, row_bytes, a, x_bytes, y, rows, columns, 0, rows, count);
                        products[t].neon(weights, row_bytes, a, x_bytes, z, rows, columns, 0, rows / 2, count);
                        products[t].neon(
                            weights, row_bytes, a, x_bytes, z, rows, columns, rows / 2, rows, count);
                        compare(products[t].name, y, z, count * rows, 1e-9);
                    }

            float x[64] = {0, INFINITY, NAN, 0x1p127f};
            uint8_t a[160], b[160];
            for (int i = 32; i < 64; i++) x[i] = (float)(i - 48) + 0.5f;
            x[40] = 127;
            for (int first = 0; first < 4; first++) {
                if (first == 2) x[2] = 0;
                if (first == 3) x[1] = 0;
                p->quantize_activations(x, 64, a);
                k->quantize_activations(x, 64, b);
                faults += memcmp(a, b, cpu_activation_bytes(64)) != 0;
            }
            for (size_t n = 1; n < 70; n += 3) {
                float u[70], v[70], y[70], z[70];
                uint16_t h[70], g[70];
                for (size_t i = 0; i < n; i++) u[i] = 20 * uniform(), v[i] = uniform();
                p->f16_from_f32(h, u, n), k->f16_from_f32(g, u, n);
                faults += memcmp(h, g, n * 2) != 0;
                memcpy(y, u, sizeof y), memcpy(z, u, sizeof z);
                p->softmax(y, n, 0.5f), k->softmax(z, n, 0.5f), compare("softmax", y, z, n, 1e-12);
                p->silu_mul(y, u, v, n), k->silu_mul(z, u, v, n), compare("silu", y, z, n, 1e-12);
                p->rms_norm(y, u, v, n, 1e-5f), k->rms_norm(z, u, v, n, 1e-5f), compare("norm", y, z, n, 1e-12);
                p->add(y, u, v, n), k->add(z, u, v, n), compare("add", y, z, n, 1e-30);
                p->axpy_f32(y, 0.3f, u, n), k->axpy_f32(z, 0.3f, u, n), compare("axpy", y, z, n, 1e-12);
                p->axpy_f16(y, 0.3f, h, n), k->axpy_f16(z, 0.3f, h, n), compare("axpy16", y, z, n, 1e-12);
                y[0] = p->dot_f32(u, u, n), z[0] = k->dot_f32(u, u, n), compare("dot", y, z, 1, 1e-11);
                y[0] = p->dot_f16(h, u, n), z[0] = k->dot_f16(h, u, n), compare("dot16", y, z, 1, 1e-11);
            }
            printf("compared %d products, %d faults\n", compared, faults);
            return faults != 0;
        }
        """#
}

enum ArmTools {
    static let missing: Comment = "needs aarch64-linux-gnu-gcc and qemu-aarch64"

    static var areInstalled: Bool {
        [["aarch64-linux-gnu-gcc", "--version"], ["qemu-aarch64", "--version"]]
            .allSatisfy { (try? run($0))?.status == 0 }
    }

    static func run(_ command: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
