// The shop's own script: its language (?lang= or the browser's), and the chat opened by its button or by ?open=1 / #open=1.
const KHMER = {
  beans: "គ្រាប់កាហ្វេ",
  visit: "មកលេងយើង",
  where: "ភ្នំពេញ · តាំងពីឆ្នាំ ២០១៦",
  headline: "កាហ្វេពីភ្នំមណ្ឌលគិរី",
  lead: "លីងរៀងរាល់ថ្ងៃអង្គារ និងថ្ងៃសុក្រ ដឹកជូនដល់ផ្ទះនៅថ្ងៃបន្ទាប់។ មានសំណួរអំពីការបញ្ជាទិញ? សួរយើងក្នុងប្រអប់ជជែកខាងក្រោម។",
  ask: "សួរយើងអ្វីក៏បាន",
  robusta: "រ៉ូប៊ូស្តា ប៊ូស្រា",
  robustaNotes: "សូកូឡាខ្មៅ អង្ករលីង",
  arabica: "អារ៉ាប៊ីកា ដាក់ដាំ",
  arabicaNotes: "ផ្កាម្លិះ ស្ករត្នោត",
  blend: "កាហ្វេចម្រុះប្រចាំហាង",
  blendNotes: "សម្រាប់កាហ្វេទឹកដោះគោទឹកកក",
  hours: "ផ្លូវ ២៤០ រាល់ថ្ងៃ ម៉ោង ៧ ដល់ ១៨",
  invented: "ហាងនេះជាការបង្កើតឡើង៖ វាបង្ហាញគេហទំព័រអតិថិជនដែលមាន Parley។",
};

// A page that shows this one in a frame changes the language by the fragment.
addEventListener("hashchange", () => location.hash.includes("lang=") && location.reload());

const wishes = new URLSearchParams(`${location.search.slice(1)}&${location.hash.slice(1)}`);
const language = (wishes.get("lang") ?? navigator.language).toLowerCase().split("-")[0];
document.documentElement.lang = language === "km" ? "km" : "en";

addEventListener("DOMContentLoaded", () => {
  if (language === "km") {
    for (const node of document.querySelectorAll("[data-words]")) node.textContent = KHMER[node.dataset.words];
  }
  document.querySelector(".ask").addEventListener("click", () => window.Parley?.open());
});
addEventListener("parley:ready", () => wishes.get("open") === "1" && window.Parley.open({ focus: window === window.top }));
