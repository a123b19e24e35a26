package dev.wclayer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Everything in a home that is not a lock: what an error must not change. */
final class StoreSnapshot {
    private StoreSnapshot() {}

    static SortedMap<String, String> of(Path home) throws IOException {
        SortedMap<String, String> files = new TreeMap<>();
        try (Stream<Path> walk = Files.walk(home)) {
            walk.filter(path -> !path.equals(home)).forEach(path -> {
                String name = home.relativize(path).toString();
                if (!name.startsWith(".wclayer/locks/")) {
                    files.put(name, describe(path));
                }
            });
        }
        return files;
    }

    private static String describe(Path path) {
        try {
            if (Files.isSymbolicLink(path)) {
                return "-> " + Files.readSymbolicLink(path);
            }
            if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                return "folder";
            }
            if (!Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
                return "special";
            }
            return LayerTars.sha256(Files.readAllBytes(path));
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }
}
