"""Names that servers give, where save.content_disposition asks for them."""
from harness import Case, main

ASK = ("-s", "save.content_disposition=yes")


class Disposition(Case):
    def serve(self, names):
        """Serves /0, /1, ... with a Content-Disposition each; returns the URLs."""
        extra = ""
        for i, name in enumerate(names):
            self.write(f"root/{i}", f"body {i}")
            if name:
                quoted = name.replace('"', '\\"')
                extra += f"location = /{i} {{ add_header Content-Disposition \"{quoted}\"; }}\n"
        self.server = self.nginx(self.path("root"), extra=extra)
        return [f"{self.server.base}/{i}" for i in range(len(names))]

    def test_the_name_counts_only_where_asked_for(self):
        urls = self.serve(['attachment; filename="given.txt"', None])
        self.assert_code(self.get(*urls), 0)
        self.assert_final({"0": b"body 0", "1": b"body 1"})

    def test_given_names_are_used_and_told(self):
        urls = self.serve(['attachment; filename="given.txt"', None])
        run = self.get(*ASK, *urls)
        self.assert_code(run, 0)
        self.assert_final({"given.txt": b"body 0", "1": b"body 1"})
        self.assertEqual(sorted(line["path"] for line in run.rows), ["1", "given.txt"])

    def test_a_second_run_fetches_no_body_again(self):
        urls = self.serve(['attachment; filename="given.txt"'])
        self.assert_code(self.get(*ASK, *urls), 0)
        run = self.get(*ASK, *urls)
        self.assert_code(run, 0)
        self.assertEqual(run.one()["status"], "skipped")
        self.assert_final({"given.txt": b"body 0"})

    def test_two_urls_with_one_given_name_are_both_kept(self):
        urls = self.serve(['attachment; filename="same.txt"'] * 5)
        self.assert_code(self.get(*ASK, *urls), 0)
        found = self.final_files()
        self.assertEqual(sorted(found.values()), [b"body %d" % i for i in range(5)])
        self.assertIn("same.txt", found)
        self.assertTrue(all(name == "same.txt" or name.startswith("same~") for name in found), found)

    def test_given_names_stay_in_the_directory(self):
        urls = self.serve(['attachment; filename="../../escaped.txt"', "attachment; filename*=UTF-8''..%2F..",
                           'attachment; filename="x.part"'])
        run = self.get(*ASK, *urls)
        self.assertEqual(sorted(self.final_files()), ["escaped.txt", "x%2Epart"])
        self.assertEqual([line["error"]["class"] for line in run.rows if line["error"]], ["name"])
        self.assert_code(run, 1)

    def test_a_name_of_the_list_is_stronger(self):
        urls = self.serve(['attachment; filename="given.txt"'])
        self.write("list.tsv", f"url\tname\n{urls[0]}\tmine\n")
        self.assert_code(self.get(*ASK, "-i", self.path("list.tsv")), 0)
        self.assert_final({"mine": b"body 0"})


if __name__ == "__main__":
    main()
