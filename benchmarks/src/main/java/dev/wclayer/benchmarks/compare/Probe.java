package dev.wclayer.benchmarks.compare;

import dev.wclayer.DiffOptions;
import dev.wclayer.LayerDiff;
import dev.wclayer.NativeMemory;
import dev.wclayer.WindowsDriver;
import dev.wclayer.benchmarks.task.CountingSink;
import dev.wclayer.benchmarks.task.JavaCodec;
import dev.wclayer.benchmarks.task.Packing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** The program of a {@link ChildJvm}: does one job, then prints how much memory it took at most. */
public final class Probe {
    private Probe() {}

    /**
     * Does one job.
     *
     * @param args {@code idle}; or {@code diff PACKING HOME ID}, {@code apply HOME TAR} by us; or
     *     {@code peer-diff CODEC TREE}, {@code peer-apply CODEC TAR FOLDER}
     * @throws IOException if the job fails
     */
    public static void main(String[] args) throws IOException {
        switch (args[0]) {
            case "idle" -> {}
            case "diff" -> diff(Packing.valueOf(args[1]), Path.of(args[2]), args[3]);
            case "apply" -> apply(Path.of(args[1]), Path.of(args[2]));
            case "peer-diff" -> JavaCodec.valueOf(args[1]).write(Path.of(args[2]), new CountingSink());
            case "peer-apply" ->
                JavaCodec.valueOf(args[1]).unpack(Path.of(args[2]), Files.createDirectory(Path.of(args[3])));
            default -> throw new IllegalArgumentException(args[0]);
        }
        boolean ours = args[0].equals("diff") || args[0].equals("apply");
        long nativeBytes = ours ? NativeMemory.now().highWaterBytes() : 0;
        double resident = ChildJvm.residentBytes(Files.readString(Path.of("/proc/self/status")), "VmHWM:");
        System.out.printf(Locale.ROOT, "native %d resident %.0f%n", nativeBytes, resident);
    }

    private static void diff(Packing packing, Path home, String id) throws IOException {
        DiffOptions options = DiffOptions.DEFAULT.withRebuild(true).withCompression(packing.compression());
        try (WindowsDriver driver = WindowsDriver.builder(home).open();
                LayerDiff diff = driver.diff(id, null, options)) {
            diff.transferTo(new CountingSink());
        }
    }

    private static void apply(Path home, Path tar) throws IOException {
        try (WindowsDriver driver =
                WindowsDriver.builder(home).option("durability", "none").open()) {
            driver.applyDiff("applied", "", tar);
        }
    }
}
