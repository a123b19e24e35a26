package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.wclayer.compress.WindowsLayerTarWriter;
import dev.wclayer.compress.WindowsMetadata;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Test;

/**
 * C6: the same content, the same bytes, in whatever time zone, locale, order of listing and as whichever user; written
 * anew by a store and by the tar writer.
 */
class ReproducibleTest extends DriverTestCase {
    private static final int NOBODY = 65_534;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    @Test
    void noProcessWritesOtherBytes() throws IOException {
        Path work = Files.createDirectory(folder.resolve("work"));
        Path classes = copyClasses(work);
        Files.write(work.resolve("golden.tar"), RandomLayers.alone(new Random(6)));
        boolean root = (int) Files.getAttribute(folder, "unix:uid") == 0;
        for (Path path : List.of(folder, work)) {
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxrwxrwx"));
        }
        List<List<String>> outputs = new ArrayList<>();
        List<String> settings = List.of("UTC en US C.UTF-8", "Asia/Kathmandu tr TR C", "America/St_Johns th TH POSIX");
        for (String setting : settings) {
            outputs.add(runAs(List.of(), setting.split(" "), work, classes, outputs.size()));
        }
        // As another user, where this one may become one.
        String user = Integer.toString(NOBODY);
        List<String> other =
                root ? List.of("setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups") : List.of("nice");
        outputs.add(runAs(other, settings.get(1).split(" "), work, classes, outputs.size()));
        assertThat(outputs.get(0)).hasSize(2).allMatch(line -> line.startsWith("sha256:"));
        assertThat(outputs).containsOnly(outputs.get(0));
    }

    /** The library and its tests where every user can read them. */
    private static Path copyClasses(Path work) throws IOException {
        Path classes = Files.createDirectory(work.resolve("classes"));
        Path jar;
        try {
            jar = Path.of(TarArchiveOutputStream.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
        } catch (java.net.URISyntaxException impossible) {
            throw new IllegalStateException(impossible);
        }
        List<Path> jars = new ArrayList<>();
        try (Stream<Path> siblings = Stream.of(
                        (System.getProperty("java.class.path") + ":" + System.getProperty("jdk.module.path"))
                                .split(":"))
                .map(Path::of)) {
            siblings.filter(path -> path.toString().matches(".*/commons-(compress|io|lang3|codec)-[^/]*[.]jar"))
                    .forEach(jars::add);
        }
        jars.add(jar);
        for (Path each : jars) {
            Files.copy(each, classes.resolve(each.getFileName()), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        }
        for (String tree : List.of("classes", "test-classes")) {
            Tools.run(
                    work,
                    "cp",
                    "-r",
                    Path.of("target", tree).toAbsolutePath().toString(),
                    work.resolve("classes").toString());
        }
        Tools.run(work, "chmod", "-R", "a+rX", classes.toString());
        return classes;
    }

    private static List<String> runAs(List<String> prefix, String[] setting, Path work, Path classes, int number) {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(ChildJvm.command(
                List.of(
                        "-Duser.timezone=" + setting[0],
                        "-Duser.language=" + setting[1],
                        "-Duser.country=" + setting[2],
                        "-Ddev.wclayer.native.workdir=" + work),
                classes.resolve("classes") + ":" + classes.resolve("test-classes") + ":" + classes + "/*",
                Writer.class,
                work.resolve("home-" + number).toString(),
                work.resolve("golden.tar").toString(),
                Integer.toString(number)));
        return Tools.lines(
                Tools.run(work, Map.of("TZ", setting[0], "LC_ALL", setting[3], "LANG", setting[3]), command));
    }

    /** Prints the digest of a layer that is applied and written anew, and of one that the tar writer makes. */
    static final class Writer {
        private Writer() {}

        public static void main(String[] arguments) throws IOException {
            Path home = Path.of(arguments[0]);
            long order = Long.parseLong(arguments[2]);
            try (WindowsDriver driver = WindowsDriver.builder(home).open()) {
                driver.applyDiff("l", "", Path.of(arguments[1]));
                DiffOptions rebuild = DiffOptions.DEFAULT.withRebuild(true);
                byte[] rebuilt = driver.diff("l", "", rebuild).readAllBytes();
                System.out.println(LayerTars.sha256(rebuilt));
            }
            System.out.println(LayerTars.sha256(written(order)));
        }

        private static byte[] written(long order) throws IOException {
            List<String> eas = new ArrayList<>(List.of("A", "I", "i", "Z"));
            Collections.shuffle(eas, new Random(order));
            Map<String, byte[]> attributes = new java.util.LinkedHashMap<>();
            eas.forEach(name -> attributes.put(name, name.getBytes(StandardCharsets.UTF_8)));
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (WindowsLayerTarWriter tar = new WindowsLayerTarWriter(bytes, LayerTars.TIME)) {
                byte[] content = LayerTars.bytes("content");
                WindowsMetadata metadata =
                        WindowsMetadata.ofFile(LayerTars.TIME).withExtendedAttributes(attributes);
                tar.file("Files/title.INI", content.length, LayerTars.stream(content), metadata);
                tar.alternateStream("note", content);
                tar.symbolicLink("Files/i\u0131\u0130", "TITLE.ini", false);
                tar.whiteout("Files/gone");
            }
            return bytes.toByteArray();
        }
    }

    /** The order of the tar's entries is not the order of the rebuilt one. */
    @Test
    void theOrderOfTheInputDoesNotMatter() throws IOException {
        WindowsDriver driver = open();
        List<String> digests = new ArrayList<>();
        for (int round = 0; round < 4; round++) {
            List<String> names = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                names.add("Files/d" + i % 7 + "/n" + i);
            }
            Collections.shuffle(names, new Random(round));
            byte[] tar = LayerTars.tar(writer -> {
                for (String name : names) {
                    writer.file(name, LayerTars.bytes(name));
                }
            });
            String id = "l" + round;
            digests.add(driver.applyDiff(id, "", LayerTars.stream(tar)).diffId());
            names.clear();
            names.add(LayerTars.sha256(read(driver.diff(id, "", DiffOptions.DEFAULT.withRebuild(true)))));
            digests.add("rebuilt " + names.get(0));
        }
        assertThat(digests).filteredOn(digest -> digest.startsWith("sha256:")).doesNotHaveDuplicates();
        assertThat(digests.stream()
                        .filter(digest -> digest.startsWith("rebuilt "))
                        .distinct())
                .hasSize(1);
    }
}
