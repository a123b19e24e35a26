package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.task.Shell;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** One job in a Java process of its own: what the first call costs, and what memory a process needs. */
final class ChildJvm {
    private static final int SAMPLE_MILLIS = 20;

    private ChildJvm() {}

    /** Seconds from its start to its end, what it printed, and its resident memory on the way. */
    record Outcome(double seconds, String output, List<Subject.Sample> samples) {}

    /** Runs {@link Probe}. */
    static Outcome run(List<String> arguments, boolean sample) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        if (Runtime.version().feature() >= 22) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        command.addAll(List.of("-Xshare:auto", "-cp", System.getProperty("java.class.path"), Probe.class.getName()));
        command.addAll(arguments);
        long begin = System.nanoTime();
        Process process = Shell.start(command);
        List<Subject.Sample> samples = sample ? samples(process, begin) : List.of();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = Shell.waitFor(process);
        double seconds = (System.nanoTime() - begin) / 1e9;
        if (status != 0) {
            throw new IOException("exit status " + status + " from " + String.join(" ", command) + "\n" + output);
        }
        return new Outcome(seconds, output, samples);
    }

    private static List<Subject.Sample> samples(Process process, long begin) throws IOException {
        List<Subject.Sample> samples = new ArrayList<>();
        Path status = Path.of("/proc", Long.toString(process.pid()), "status");
        try {
            while (process.isAlive()) {
                double resident = residentBytes(Files.readString(status), "VmRSS:");
                if (resident > 0) {
                    samples.add(new Subject.Sample((System.nanoTime() - begin) / 1e9, resident));
                }
                Thread.sleep(SAMPLE_MILLIS);
            }
        } catch (NoSuchFileException ended) {
            return samples;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        return samples;
    }

    /** A line of /proc/PID/status in bytes; 0 if it is not there. */
    static double residentBytes(String status, String key) {
        return status.lines()
                .filter(line -> line.startsWith(key))
                .mapToDouble(line -> Double.parseDouble(line.replaceAll("[^0-9]", "")) * 1024)
                .findFirst()
                .orElse(0);
    }
}
