package dev.wclayer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.wclayer.compress.WindowsLayerTarWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Every command on a home, as text and as JSON. */
class CommandsTest extends CliTestCase {
    private static final Instant TIME = Instant.parse("2025-11-04T09:15:30.1234567Z");

    private byte[] base = {};
    private byte[] child = {};
    private String baseFile = "";

    @BeforeEach
    void writeTars() throws IOException {
        base = tar(tar -> {
            tar.file("Files/Windows/a.txt", text("content\n"));
            tar.alternateStream("note", text("a note"));
            tar.file("Files/Windows/gone.txt", text("gone"));
            tar.junction("Files/j", "C:\\Users");
        });
        child = tar(tar -> {
            tar.file("Files/Windows/a.txt", text("changed\n"));
            tar.file("Files/new.txt", text("new"));
            tar.whiteout("Files/Windows/gone.txt");
        });
        baseFile = Files.write(folder.resolve("base.tar"), base).toString();
    }

    @Test
    void appliesAndDiffs() throws IOException {
        JsonObject applied = run("--json", "apply", "base", baseFile).done().object();
        assertThat(applied.keySet()).containsExactly("id", "sizeBytes", "diffId", "blobDigest", "blobBytes");
        assertThat(applied.get("id").getAsString()).isEqualTo("base");
        assertThat(applied.get("sizeBytes").getAsLong()).isEqualTo(12);
        assertThat(applied.get("diffId").getAsString()).isEqualTo(sha256(base));
        assertThat(runWith(child, "apply", "child", "-", "--parent", "base")
                        .done()
                        .text())
                .contains("diffId     " + sha256(child));
        assertThat(run("diff", "base").done().out()).isEqualTo(base);
        assertThat(run("diff", "child").done().out()).isEqualTo(child);
        assertThat(run("diff", "child", "--parent", "base").done().out()).isEqualTo(child);
        assertThat(run("diff", "base", "--parent", "").done().out()).isEqualTo(base);
        assertThat(run("diff", "base", "--parent=").done().out()).isEqualTo(base);
        Path file = folder.resolve("out.tar.gz");
        JsonObject diff = run("diff", "child", "--compress", "gzip", "-o", file.toString(), "--json")
                .done()
                .object();
        assertThat(diff.keySet()).containsExactly("diffId", "blobDigest", "tarBytes", "blobBytes");
        assertThat(diff.get("diffId").getAsString()).isEqualTo(sha256(child));
        assertThat(diff.get("blobDigest").getAsString()).isEqualTo(sha256(Files.readAllBytes(file)));
        assertThat(diff.get("tarBytes").getAsLong()).isEqualTo(child.length);
        assertThat(diff.get("blobBytes").getAsLong()).isEqualTo(Files.size(file));
        assertThat(run("diff", "child", "--rebuild").done().out()).isNotEmpty();
        assertThat(run("diff", "child", "--format", "transport").done().out()).isNotEmpty();
        assertThat(run("diff", "child", "--compress", "zstd:3").done().out()).startsWith(0x28, 0xb5, 0x2f, 0xfd);
        assertThat(run("apply", "base", baseFile, "--expect-diff-id", sha256(base))
                        .done()
                        .text())
                .contains("was there already");
    }

    @Test
    void listsAndCompares() {
        run("apply", "base", baseFile).done();
        runWith(child, "apply", "child", "-", "--parent", "base").done();
        run("create", "box", "--parent", "child", "--writable", "--size", "20GB")
                .done();
        JsonArray list = run("list", "--json").done().json().getAsJsonArray();
        assertThat(list).hasSize(3);
        assertThat(list.get(0).getAsJsonObject().keySet())
                .containsExactly("id", "parent", "kind", "sizeBytes", "state");
        assertThat(list.asList())
                .extracting(layer -> layer.getAsJsonObject().get("kind").getAsString())
                .containsExactly("base", "writable", "layer");
        assertThat(run("list").done().lines()).hasSize(4);
        assertThat(run("changes", "child").done().lines())
                .containsExactly("C Files/Windows/a.txt", "D Files/Windows/gone.txt", "A Files/new.txt");
        JsonArray changes = run("changes", "child", "--json").done().json().getAsJsonArray();
        assertThat(changes).hasSize(3);
        assertThat(changes.get(0).getAsJsonObject().keySet()).containsExactly("kind", "path");
        assertThat(run("diff-size", "child").done().text()).isEqualTo("11\n");
        assertThat(run("--json", "diff-size", "child")
                        .done()
                        .object()
                        .get("sizeBytes")
                        .getAsLong())
                .isEqualTo(11);
        assertThat(run("exists", "child").done().text()).isEqualTo("yes\n");
        Outcome no = run("exists", "missing", "--json");
        assertThat(no.status()).isEqualTo(CommandLines.NO);
        assertThat(no.object().get("exists").getAsBoolean()).isFalse();
        JsonArray status = run("status", "--json").done().json().getAsJsonArray();
        assertThat(status.get(0).getAsJsonArray().asList())
                .extracting(JsonElement::getAsString)
                .containsExactly("Windows", "");
        assertThat(run("status").done().lines()).contains("Layers: 3");
        assertThat(run("metadata", "base", "--json").done().object().get("dir").getAsString())
                .isEqualTo(folder.resolve("home/base").toString());
        assertThat(run("cleanup").done().text()).isEmpty();
        assertThat(run("--json", "cleanup").done().json().getAsJsonArray()).isEmpty();
        assertThat(run("base-images", "--json").done().json().getAsJsonArray()).isEmpty();
        assertThat(run("verify").done().text()).isEmpty();
        JsonObject verified = run("verify", "base", "child", "--json").done().object();
        assertThat(verified.get("ok").getAsBoolean()).isTrue();
        assertThat(verified.get("problems").getAsJsonArray()).isEmpty();
        assertThat(run("lint", "base").done().text()).isEmpty();
    }

    @Test
    void looksInside() {
        run("apply", "base", baseFile).done();
        assertThat(run("ls", "base").done().lines())
                .hasSize(5)
                .anyMatch(line -> line.startsWith("f 00000020            8 2025-11-04T09:15:30.123456700Z ")
                        && line.endsWith(" Files/Windows/a.txt"))
                .anyMatch(line -> line.startsWith("j ") && line.endsWith("Files/j -> C:\\Users"));
        assertThat(run("ls", "base", "files/windows", "--json").done().json().getAsJsonArray())
                .hasSize(3);
        assertThat(run("cat", "base", "Files/Windows/a.txt").done().out()).isEqualTo(text("content\n"));
        assertThat(run("cat", "base", "Files/Windows/a.txt:note").done().out()).isEqualTo(text("a note"));
        JsonObject stat =
                run("stat", "base", "Files/Windows/a.txt", "--json").done().object();
        assertThat(stat.get("sddl").getAsString()).startsWith("O:BAG:SYD:");
        assertThat(stat.get("streams").getAsJsonObject().get("note").getAsLong())
                .isEqualTo(6);
        assertThat(stat.get("creationTime").getAsString()).isEqualTo("2025-11-04T09:15:30.123456700Z");
        assertThat(stat.get("attributes").getAsLong()).isEqualTo(0x20);
        assertThat(run("stat", "base", "Files/j").done().text())
                .contains("attributes 0x00000410 DIRECTORY REPARSE_POINT")
                .contains("target     C:\\Users")
                .contains("reparse    0xa0000003");
    }

    @Test
    void mountsUntilPut() throws IOException {
        run("apply", "base", baseFile).done();
        run("create", "box", "--parent", "base", "--writable").done();
        Path root = Path.of(run("get", "box").done().text().trim());
        assertThat(root.resolve("Windows/a.txt")).hasContent("content");
        Files.writeString(root.resolve("new.txt"), "new");
        assertThat(run("get", "box", "--json").done().object().get("path").getAsString())
                .isEqualTo(root.toString());
        run("put", "box").done();
        assertThat(run("list").done().text()).contains("mounted");
        assertThat(run("remove", "box").ended(CommandLines.FAILED).err()).contains("mounted");
        run("put", "box").done();
        assertThat(run("changes", "box").done().lines()).containsExactly("C Files", "A Files/new.txt");
        run("get", "box").done();
        run("remove", "--force", "box").done();
        run("remove", "base").done();
        assertThat(run("list", "--json").done().json().getAsJsonArray()).isEmpty();
    }

    @Test
    void exportsTransportFolders() {
        run("apply", "base", baseFile).done();
        Path to = folder.resolve("transport");
        assertThat(run("diff-path", "base", "--to", to.toString()).done().text())
                .isEqualTo(to + "\n");
        assertThat(to.resolve("Files/Windows/a.txt")).exists();
    }

    @Test
    void failuresAreStatusThreeAndOneLine() throws IOException {
        run("apply", "base", baseFile).done();
        Path cut = Files.write(folder.resolve("cut.tar"), Arrays.copyOf(base, 2000));
        Path html = Files.writeString(folder.resolve("page.tar"), "<html>not found</html>");
        List<String> before = run("list").done().lines();
        assertThat(run("apply", "new", cut.toString())
                        .ended(CommandLines.FAILED)
                        .err())
                .contains("new");
        run("apply", "new", html.toString()).ended(CommandLines.FAILED);
        run("apply", "new", folder.resolve("missing.tar").toString()).ended(CommandLines.FAILED);
        run("apply", "base", baseFile).ended(CommandLines.FAILED);
        run("create", "a/b").ended(CommandLines.FAILED);
        run("create", "..").ended(CommandLines.FAILED);
        run("create", "new", "--parent", "missing").ended(CommandLines.FAILED);
        run("create", "new", "--size", "many").ended(CommandLines.FAILED);
        run("diff", "missing").ended(CommandLines.FAILED);
        run("get", "missing").ended(CommandLines.FAILED);
        run("cat", "base", "Files/missing").ended(CommandLines.FAILED);
        run("--option", "speed=fast", "list").ended(CommandLines.FAILED);
        assertThat(run("list").done().lines()).isEqualTo(before);
        JsonObject error = run("remove", "missing", "--json")
                .ended(CommandLines.FAILED)
                .object()
                .get("error")
                .getAsJsonObject();
        assertThat(error.keySet()).containsExactly("operation", "layer", "path", "code", "message");
        assertThat(error.get("operation").getAsString()).isEqualTo("Remove");
        assertThat(error.get("layer").getAsString()).isEqualTo("missing");
        assertThat(error.get("code").getAsString()).isEqualTo("LayerNotFound");
    }

    @Test
    void verifyFindsWhatWasChanged() throws IOException {
        run("apply", "base", baseFile).done();
        Path stored = folder.resolve("home/base/Files/Windows/a.txt");
        Files.writeString(stored, "CONTENT\n");
        Outcome outcome = run("verify", "--json");
        assertThat(outcome.status()).isEqualTo(CommandLines.NO);
        assertThat(outcome.object().get("ok").getAsBoolean()).isFalse();
        JsonObject problem =
                outcome.object().get("problems").getAsJsonArray().get(0).getAsJsonObject();
        assertThat(problem.keySet()).containsExactly("id", "path", "problem");
        assertThat(run("verify").lines().get(0)).startsWith("base: ");
        assertThat(run("verify", "--quick").done().text())
                .as("no payload is read")
                .isEmpty();
    }

    @Test
    void repairMendsWhatVerifyFound() throws IOException {
        run("apply", "base", baseFile).done();
        run("apply", "child", Files.write(folder.resolve("child.tar"), child).toString(), "--parent", "base")
                .done();
        Files.writeString(folder.resolve("home/base/Files/Windows/a.txt"), "CONTENT\n");
        JsonObject error = run("repair", "base", folder.resolve("child.tar").toString(), "--json")
                .ended(CommandLines.FAILED)
                .object()
                .getAsJsonObject("error");
        assertThat(error.get("code").getAsString()).isEqualTo("DigestMismatch");
        assertThat(error.get("operation").getAsString()).isEqualTo("Repair");
        JsonObject repaired = run("repair", "base", baseFile, "--json").done().object();
        assertThat(repaired.keySet()).containsExactly("id", "sizeBytes", "diffId", "blobDigest", "blobBytes");
        assertThat(repaired.get("diffId").getAsString()).isEqualTo(sha256(base));
        assertThat(run("verify").done().text()).isEmpty();
        assertThat(run("diff", "child").done().out()).isEqualTo(child);
        assertThat(runWith(base, "repair", "base", "-").done().text()).contains("diffId     " + sha256(base));
    }

    @Test
    void gcRemovesWhatIsNotNamed() throws IOException {
        run("apply", "base", baseFile).done();
        run("create", "box", "--parent", "base", "--writable").done();
        assertThat(run("gc").done().text()).isEmpty();
        assertThat(run("gc", "--root", "base", "--dry-run").done().text())
                .isEqualTo("would remove box: no root is built on it\n");
        assertThat(run("exists", "box").status()).isEqualTo(CommandLines.OK);
        JsonObject removed = run("gc", "--root", "base", "--json").done().object();
        assertThat(removed.keySet()).containsExactly("dryRun", "removed");
        assertThat(removed.get("dryRun").getAsBoolean()).isFalse();
        JsonObject one = removed.getAsJsonArray("removed").get(0).getAsJsonObject();
        assertThat(one.keySet()).containsExactly("id", "reason");
        assertThat(one.get("id").getAsString()).isEqualTo("box");
        assertThat(run("exists", "box").status()).isEqualTo(CommandLines.NO);
        assertThat(run("exists", "base").status()).isEqualTo(CommandLines.OK);
        run("gc", "--root", "missing").ended(CommandLines.FAILED);
    }

    @Test
    void windowsDiffMovesPlainFolders() {
        assertThat(run("--driver", "windowsdiff", "status").done().lines()).contains("Windows: ");
    }

    @Test
    void quickstartRunsOnRealFiles() {
        Outcome outcome = bare(new byte[0], "quickstart");
        assertThat(outcome.err()).isEmpty();
        assertThat(outcome.status()).isZero();
        assertThat(outcome.text())
                .contains("jnidispatch.dll")
                .contains("A Files/hello.txt")
                .contains("the same diffId and size")
                .contains("O:BAG:SYD:")
                .contains("Zone.Identifier")
                .contains("Files/Documents and Settings -> C:\\Users")
                .contains("verify: nothing wrong");
    }

    @Test
    void quickstartTakesOwnLayersAndAGivenHome() throws IOException {
        Path childFile = Files.write(folder.resolve("child.tar"), child);
        for (String prefix : List.of("quickstart", "quickstart2")) {
            JsonObject facts = run("quickstart", "--json", "--input", baseFile, childFile.toString())
                    .done()
                    .object();
            assertThat(facts.get("ok").getAsBoolean()).isTrue();
            assertThat(facts.get("layers").getAsJsonArray()).hasSize(2);
            assertThat(facts.get("layers")
                            .getAsJsonArray()
                            .get(0)
                            .getAsJsonObject()
                            .get("diffId")
                            .getAsString())
                    .isEqualTo(sha256(base));
            assertThat(run("exists", prefix + "-changes").done().text()).isEqualTo("yes\n");
        }
        run("quickstart", "--input", folder.resolve("missing.tar").toString()).ended(CommandLines.FAILED);
    }

    private static byte[] tar(Content content) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (WindowsLayerTarWriter tar = new WindowsLayerTarWriter(bytes, TIME)) {
            content.into(tar);
        }
        return bytes.toByteArray();
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String sha256(byte[] bytes) {
        try {
            return "sha256:"
                    + HexFormat.of()
                            .formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    @FunctionalInterface
    private interface Content {
        void into(WindowsLayerTarWriter tar) throws IOException;
    }
}
