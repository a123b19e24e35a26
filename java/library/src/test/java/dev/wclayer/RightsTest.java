package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.LayerTars.tar;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Layers hold other people's secrets: nobody but the owner reads a home, whatever the umask and the tar say. */
class RightsTest extends DriverTestCase {
    private static final Set<PosixFilePermission> OWNER =
            Set.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE, PosixFilePermission.OWNER_EXECUTE);

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    @Test
    void nothingInAHomeIsForOthers() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(tar(tar -> {
            tar.folder("Files/dir");
            tar.file("Files/dir/a.exe", bytes("MZ"));
            tar.alternateStream("note", bytes("a note"));
            tar.file("Files/dir/.wh.x", bytes("")); // a whiteout, kept in the metadata alone
        })));
        driver.createReadWrite("box", "base");
        try (LayerMount mount = driver.mount("box");
                DiffPath exported = driver.diffPath("base")) {
            Files.writeString(mount.path().resolve("new.txt"), "new");
            assertThat(exported.path()).isDirectory();
            assertThat(Files.getPosixFilePermissions(home)).isEqualTo(OWNER);
            List<String> open;
            try (Stream<Path> walk = Files.walk(home)) {
                open = walk.filter(path -> !path.startsWith(mount.path())) // what a user makes has the user's umask
                        .filter(path -> !path.startsWith(home.resolve("box")))
                        .filter(path -> !Files.isSymbolicLink(path))
                        .filter(RightsTest::othersMay)
                        .map(Path::toString)
                        .toList();
            }
            assertThat(open).isEmpty();
        }
    }

    private static boolean othersMay(Path path) {
        try {
            return !OWNER.containsAll(Files.getPosixFilePermissions(path, LinkOption.NOFOLLOW_LINKS));
        } catch (IOException gone) {
            throw new java.io.UncheckedIOException(gone);
        }
    }
}
