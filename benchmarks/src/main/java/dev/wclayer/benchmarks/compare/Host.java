package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.task.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The computer and the versions of all that was compared.
 *
 * @param facts names and values, in the order people read them; no name of the computer
 */
public record Host(Map<String, String> facts) {
    /** This one. */
    public static Host here(Path work) throws IOException {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("processor", line("/proc/cpuinfo", "model name"));
        facts.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
        facts.put("memory", line("/proc/meminfo", "MemTotal"));
        facts.put("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        facts.put("system", line("/etc/os-release", "PRETTY_NAME").replace("\"", ""));
        facts.put("Java", System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"));
        facts.put("file system of the work folder", Files.getFileStore(work).type());
        facts.put("load before", Files.readString(Path.of("/proc/loadavg")).strip());
        for (String program : new String[] {"tar", "bsdtar", "pigz", "igzip", "zstd", "rsync", "du", "openssl"}) {
            facts.put(program, version(program));
        }
        facts.put("zstd-jni", com.github.luben.zstd.util.ZstdVersion.VERSION);
        facts.put("Commons Compress", jarVersion(org.apache.commons.compress.archivers.tar.TarArchiveEntry.class));
        return new Host(facts);
    }

    private static String jarVersion(Class<?> type) {
        String version = type.getPackage().getImplementationVersion();
        return version == null ? "as in pom.xml" : version;
    }

    private static String version(String program) {
        String option = program.equals("openssl") ? " version" : " --version";
        try {
            return Shell.run(program + option + " 2>&1")
                    .lines()
                    .findFirst()
                    .orElse("")
                    .strip();
        } catch (IOException absent) {
            return "not installed";
        }
    }

    private static String line(String file, String key) throws IOException {
        try (var lines = Files.lines(Path.of(file))) {
            return lines.filter(line -> line.startsWith(key))
                    .findFirst()
                    .map(line -> line.replaceFirst("^[^:=]*[:=]\\s*", ""))
                    .orElse("unknown");
        }
    }
}
